/* Frames: header, samples, clip flag. */
#include "nt_internal.h"

#define IMU6_COLUMNS 6u

size_t nt_sample_size(uint8_t frame_type)
{
    return frame_type == NT_FRAME_TYPE_IMU9 ? sizeof(struct nt_sample9) : sizeof(struct nt_sample6);
}

uint8_t nt_samples_that_fit(size_t value_size, uint8_t frame_type)
{
    if (value_size <= sizeof(struct nt_frame_header)) {
        return 0;
    }
    size_t n = (value_size - sizeof(struct nt_frame_header)) / nt_sample_size(frame_type);
    return n > UINT8_MAX ? UINT8_MAX : (uint8_t)n;
}

void nt_frame_begin(uint8_t *frame, uint8_t frame_type, uint8_t flags, uint16_t seq,
                    uint32_t index0, uint64_t device_us, uint8_t rate)
{
    struct nt_frame_header header = {
        .version_type = (uint8_t)(NT_PROTOCOL_MAJOR << 4 | frame_type),
        .flags = flags,
        .seq = seq,
        .index0 = index0,
        .device_us = device_us,
        .n = 0,
        .rate_code = rate,
    };
    memcpy(frame, &header, sizeof header);
}

void nt_frame_add(uint8_t *frame, const int16_t *counts)
{
    struct nt_frame_header header;
    memcpy(&header, frame, sizeof header);
    size_t size = nt_sample_size(header.version_type & 0x0fu);
    memcpy(frame + sizeof header + header.n * size, counts, size);
    header.n++;
    for (size_t i = 0; i < IMU6_COLUMNS; i++) {
        if (counts[i] == INT16_MAX || counts[i] == INT16_MIN) {
            header.flags |= NT_FRAME_FLAG_CLIP;
        }
    }
    memcpy(frame, &header, sizeof header);
}

size_t nt_frame_size(const uint8_t *frame)
{
    struct nt_frame_header header;
    memcpy(&header, frame, sizeof header);
    return sizeof header + header.n * nt_sample_size(header.version_type & 0x0fu);
}
