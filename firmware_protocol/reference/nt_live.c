/* Live frames: collects samples until a frame is full; queues frames for the radio. */
#include "nt_internal.h"

void nt_live_begin(struct nt_sensor *sensor, uint8_t frame_type, uint8_t n_per_frame)
{
    struct nt_live *live = &sensor->live;
    live->on = true;
    live->frame_type = frame_type;
    live->n_per_frame = n_per_frame;
    live->waiting = 0;
}

void nt_live_push(struct nt_sensor *sensor, const int16_t *counts, const uint64_t *times_us,
                  size_t n, uint8_t flags)
{
    struct nt_live *live = &sensor->live;
    if (flags != 0) {
        nt_live_flush(sensor);
    }
    for (size_t i = 0; i < n; i++) {
        if (live->waiting == 0) {
            nt_frame_begin(live->building, live->frame_type, i == 0 ? flags : 0, live->seq,
                           sensor->next_index + (uint32_t)i, times_us[i], sensor->settings.rate);
        }
        nt_frame_add(live->building, counts + i * NT_COLUMNS);
        live->waiting++;
        if (live->waiting == live->n_per_frame) {
            nt_live_flush(sensor);
        }
    }
}

void nt_live_flush(struct nt_sensor *sensor)
{
    struct nt_live *live = &sensor->live;
    if (live->waiting == 0) {
        return;
    }
    live->waiting = 0;
    nt_live_queue(sensor, live->building, nt_frame_size(live->building));
}

void nt_live_queue(struct nt_sensor *sensor, const uint8_t *frame, size_t size)
{
    struct nt_live *live = &sensor->live;
    live->seq++; /* a dropped frame shows as a gap of the sequence */
    if (live->count == NT_LIVE_QUEUE) {
        sensor->frames_dropped++;
        return;
    }
    size_t slot = (live->head + live->count) % NT_LIVE_QUEUE;
    memcpy(live->queue[slot], frame, size);
    live->size[slot] = (uint16_t)size;
    live->count++;
}

void nt_live_send(struct nt_sensor *sensor)
{
    struct nt_live *live = &sensor->live;
    while (live->count > 0) {
        if (!sensor->send(sensor->context, NT_UUID_SENSOR_STREAM_SHORT, live->queue[live->head],
                          live->size[live->head])) {
            return;
        }
        live->head = (uint16_t)((live->head + 1u) % NT_LIVE_QUEUE);
        live->count--;
    }
}

void nt_live_end(struct nt_sensor *sensor)
{
    if (sensor->live.on) {
        nt_live_flush(sensor);
        sensor->live.on = false;
    }
}

void nt_live_drop(struct nt_sensor *sensor)
{
    sensor->live.on = false;
    sensor->live.waiting = 0;
    sensor->live.count = 0;
}
