/* Link, Status, Time Sync, samples: what ties the parts together. */
#include "nt_internal.h"

#define MTU_MAX 517u
#define RATE_AFTER_US 1000000ull

static const uint8_t NOTIFIED = NT_BIT(NT_UUID_SENSOR_STREAM_SHORT) |
                                NT_BIT(NT_UUID_CONTROL_POINT_SHORT) |
                                NT_BIT(NT_UUID_STATUS_SHORT) | NT_BIT(NT_UUID_TIME_SYNC_SHORT) |
                                NT_BIT(NT_UUID_BACKFILL_SHORT);

static void clear_link(struct nt_sensor *sensor)
{
    nt_live_drop(sensor);
    sensor->live.seq = 0;
    sensor->live.head = 0;
    sensor->report.running = false;
    sensor->att_mtu = 0;
    sensor->interval_1250us = 0;
    sensor->subscribed = 0;
    sensor->backfill_seq = 0;
    sensor->backfill_credit = 0;
    sensor->backfill_timed = false;
    sensor->exchange_known = false;
    sensor->status_due_us = 0;
    memset(&sensor->status_told, 0, sizeof sensor->status_told);
}

void nt_init(struct nt_sensor *sensor, const struct nt_model *model, struct nt_page *pages,
             uint16_t *order, uint16_t page_count, nt_send send, void *context)
{
    memset(sensor, 0, sizeof *sensor);
    sensor->model = model;
    sensor->send = send;
    sensor->context = context;
    sensor->store.pages = pages;
    sensor->store.order = order;
    sensor->store.limit = page_count;
    for (uint16_t i = 0; i < page_count; i++) {
        pages[i].used = false;
    }
    sensor->settings.rate = model->rates[model->rate_count - 1u];
    sensor->settings.acc_range_g = model->acc_ranges_g[model->acc_range_count - 1u];
    sensor->settings.gyr_range_dps = model->gyr_ranges_dps[model->gyr_range_count - 1u];
}

void nt_boot(struct nt_sensor *sensor, uint32_t boot_counter)
{
    clear_link(sensor);
    sensor->boot_counter = boot_counter;
    sensor->next_index = 0;
    sensor->frames_dropped = 0;
    sensor->wall_time_known = false;
    sensor->button_pressed = false;
    sensor->identify_until_us = 0;
    nt_restart_rate(sensor);
}

void nt_connect(struct nt_sensor *sensor, uint16_t att_mtu, uint16_t interval_1250us)
{
    clear_link(sensor);
    sensor->att_mtu = att_mtu < NT_MTU_NONE ? NT_MTU_NONE : att_mtu > MTU_MAX ? MTU_MAX : att_mtu;
    sensor->interval_1250us = interval_1250us;
}

void nt_disconnect(struct nt_sensor *sensor)
{
    clear_link(sensor);
}

bool nt_is_subscribed(const struct nt_sensor *sensor, uint16_t characteristic)
{
    return (sensor->subscribed & NT_BIT(characteristic)) != 0;
}

size_t nt_value_size(const struct nt_sensor *sensor)
{
    size_t mtu = sensor->att_mtu != 0 ? sensor->att_mtu : NT_MTU_NONE;
    size_t size = mtu - NT_ATT_NOTIFY_OVERHEAD;
    return size < sensor->model->max_payload ? size : sensor->model->max_payload;
}

uint32_t nt_features(const struct nt_sensor *sensor)
{
    uint32_t features = sensor->model->features;
    return NT_COLUMNS == 9u ? features : features & ~(uint32_t)NT_FEATURE_MAG;
}

uint8_t nt_widest_frame_type(const struct nt_sensor *sensor)
{
    bool mag = (nt_features(sensor) & NT_FEATURE_MAG) != 0;
    return mag ? NT_FRAME_TYPE_IMU9 : NT_FRAME_TYPE_IMU6;
}

uint8_t nt_n_per_frame(const struct nt_sensor *sensor, uint8_t frame_type)
{
    uint8_t room = nt_samples_that_fit(nt_value_size(sensor), frame_type);
    uint8_t wanted = sensor->settings.n_per_frame;
    return wanted != 0 && wanted < room ? wanted : room;
}

void nt_restart_rate(struct nt_sensor *sensor)
{
    sensor->rate_started = false;
    sensor->measured_rate_mhz = 0;
}

struct nt_status nt_status_now(const struct nt_sensor *sensor)
{
    uint8_t state = sensor->fault                              ? NT_DEVICE_STATE_FAULT
                    : sensor->live.on && sensor->recording     ? NT_DEVICE_STATE_BOTH
                    : sensor->live.on                          ? NT_DEVICE_STATE_STREAMING
                    : sensor->recording                        ? NT_DEVICE_STATE_RECORDING
                                                               : NT_DEVICE_STATE_IDLE;
    uint8_t wrapped = sensor->store.wrapped ? NT_STATUS_FLAG_FLASH_WRAPPED : 0;
    struct nt_status status = {
        .version = NT_PROTOCOL_MAJOR,
        .state = state,
        .flags = (uint8_t)(sensor->flags | wrapped),
        .temperature_half_degc = sensor->temperature_half_degc,
        .battery_mv = sensor->battery_mv,
        .free_flash_permille = nt_store_free_permille(&sensor->store),
        .interval_1250us = sensor->interval_1250us,
        .att_mtu = sensor->att_mtu != 0 ? sensor->att_mtu : NT_MTU_NONE,
        .frames_dropped = sensor->frames_dropped,
        .boot_counter = sensor->boot_counter,
    };
    return status;
}

/* The part of Status whose change is told at once; counters wait for the period. */
static struct nt_status reportable(const struct nt_sensor *sensor)
{
    struct nt_status status = nt_status_now(sensor);
    status.battery_mv = 0;
    status.temperature_half_degc = 0;
    status.free_flash_permille = 0;
    status.frames_dropped = 0;
    return status;
}

enum nt_att nt_subscribe(struct nt_sensor *sensor, uint16_t characteristic, bool on,
                         uint64_t now_us)
{
    if (sensor->att_mtu == 0 || characteristic > 7u || (NOTIFIED & NT_BIT(characteristic)) == 0) {
        return NT_ATT_NOT_PERMITTED;
    }
    if (on) {
        sensor->subscribed |= NT_BIT(characteristic);
        if (characteristic == NT_UUID_STATUS_SHORT) {
            /* the host has just read Status, so the first notification is a period away */
            sensor->status_due_us = now_us + NT_STATUS_PERIOD_US;
            sensor->status_told = reportable(sensor);
        }
        return NT_ATT_OK;
    }
    sensor->subscribed &= (uint8_t)~NT_BIT(characteristic);
    if (characteristic == NT_UUID_SENSOR_STREAM_SHORT) {
        nt_live_drop(sensor);
    }
    if (characteristic == NT_UUID_BACKFILL_SHORT || characteristic == NT_UUID_CONTROL_POINT_SHORT) {
        sensor->report.running = false;
    }
    return NT_ATT_OK;
}

enum nt_att nt_read(const struct nt_sensor *sensor, uint16_t characteristic, uint8_t *out,
                    size_t room, size_t *size)
{
    if (characteristic == NT_UUID_PROTOCOL_INFO_SHORT) {
        struct nt_protocol_info info = {
            .major = NT_PROTOCOL_MAJOR,
            .minor = NT_PROTOCOL_MINOR,
            .max_payload = sensor->model->max_payload,
            .features = nt_features(sensor),
        };
        memcpy(info.device_id, sensor->model->device_id, sizeof info.device_id);
        *size = sizeof info < room ? sizeof info : room;
        memcpy(out, &info, *size);
        return NT_ATT_OK;
    }
    if (characteristic == NT_UUID_STATUS_SHORT) {
        struct nt_status status = nt_status_now(sensor);
        *size = sizeof status < room ? sizeof status : room;
        memcpy(out, &status, *size);
        return NT_ATT_OK;
    }
    *size = 0;
    return NT_ATT_READ_NOT_PERMITTED;
}

static void answer_time_sync(struct nt_sensor *sensor, const uint8_t *data, size_t size,
                             uint64_t now_us)
{
    struct nt_time_sync sync;
    bool offered = (nt_features(sensor) & NT_FEATURE_TIME_SYNC) != 0;
    if (!offered || !nt_is_subscribed(sensor, NT_UUID_TIME_SYNC_SHORT) || size != sizeof sync) {
        return;
    }
    memcpy(&sync, data, sizeof sync);
    if (sync.version != NT_PROTOCOL_MAJOR || sync.op != NT_TIME_SYNC_OP_REQUEST) {
        return;
    }
    sync.op = NT_TIME_SYNC_OP_REPLY;
    sync.t2_us = now_us;
    sync.t3_us = now_us;
    (void)sensor->send(sensor->context, NT_UUID_TIME_SYNC_SHORT, (const uint8_t *)&sync,
                       sizeof sync);
}

enum nt_att nt_write(struct nt_sensor *sensor, uint16_t characteristic, const uint8_t *data,
                     size_t size, uint64_t now_us)
{
    if (characteristic == NT_UUID_CONTROL_POINT_SHORT) {
        if (!nt_is_subscribed(sensor, characteristic)) {
            return NT_ATT_CCCD_IMPROPER;
        }
        return nt_control_write(sensor, data, size, now_us);
    }
    if (characteristic == NT_UUID_TIME_SYNC_SHORT) {
        answer_time_sync(sensor, data, size, now_us);
        return NT_ATT_OK;
    }
    return NT_ATT_WRITE_NOT_PERMITTED;
}

static void measure_rate(struct nt_sensor *sensor, const uint64_t *times_us, size_t n, bool stepped)
{
    if (!sensor->rate_started || stepped) {
        sensor->rate_started = true;
        sensor->rate_index = sensor->next_index;
        sensor->rate_start_us = times_us[0];
        sensor->measured_rate_mhz = 0;
    }
    int64_t taken = (int64_t)sensor->next_index + (int64_t)n - 1 - (int64_t)sensor->rate_index;
    uint64_t elapsed_us = times_us[n - 1u] - sensor->rate_start_us;
    if (taken > 0 && times_us[n - 1u] >= sensor->rate_start_us && elapsed_us >= RATE_AFTER_US) {
        sensor->measured_rate_mhz =
            (uint32_t)(((uint64_t)taken * 1000000000ull + elapsed_us / 2u) / elapsed_us);
    }
}

void nt_push(struct nt_sensor *sensor, const int16_t *counts, const uint64_t *times_us, size_t n,
             uint8_t flags)
{
    if (n == 0) {
        return;
    }
    uint8_t own = (uint8_t)(flags & NT_SAMPLE_FLAGS);
    measure_rate(sensor, times_us, n, own != 0);
    if (sensor->recording) {
        nt_store_append(&sensor->store, sensor->boot_counter, sensor->next_index, counts, times_us,
                        n, sensor->settings.rate, own);
    }
    if (sensor->live.on) {
        nt_live_push(sensor, counts, times_us, n, own);
    }
    sensor->next_index += (uint32_t)n;
}

void nt_event(struct nt_sensor *sensor, uint8_t code, uint8_t detail, int16_t value,
              uint64_t now_us)
{
    if (!sensor->live.on) {
        return;
    }
    struct nt_event event = {.code = code,
                             .detail = detail,
                             .value = value,
                             .index = sensor->next_index,
                             .device_us = now_us};
    uint8_t frame[sizeof(struct nt_frame_header) + sizeof event];
    nt_live_flush(sensor);
    nt_frame_begin(frame, NT_FRAME_TYPE_EVENT, 0, sensor->live.seq, sensor->next_index, now_us,
                   sensor->settings.rate);
    frame[offsetof(struct nt_frame_header, n)] = 1;
    memcpy(frame + sizeof(struct nt_frame_header), &event, sizeof event);
    nt_live_queue(sensor, frame, sizeof frame);
}

void nt_button(struct nt_sensor *sensor, uint64_t now_us)
{
    sensor->button_pressed = true;
    sensor->button_us = now_us;
    nt_event(sensor, NT_EVENT_CODE_BUTTON, 0, 0, now_us);
}

static void send_status(struct nt_sensor *sensor, uint64_t now_us)
{
    struct nt_status now = reportable(sensor);
    if (!nt_is_subscribed(sensor, NT_UUID_STATUS_SHORT) ||
        (now_us < sensor->status_due_us && memcmp(&now, &sensor->status_told, sizeof now) == 0)) {
        return;
    }
    struct nt_status status = nt_status_now(sensor);
    if (sensor->send(sensor->context, NT_UUID_STATUS_SHORT, (const uint8_t *)&status,
                     sizeof status)) {
        sensor->status_due_us = now_us + NT_STATUS_PERIOD_US;
        sensor->status_told = now;
    }
}

void nt_due(struct nt_sensor *sensor, uint64_t now_us)
{
    if (sensor->att_mtu == 0) {
        return;
    }
    nt_live_send(sensor);
    send_status(sensor, now_us);
    nt_report_send(sensor, now_us);
}
