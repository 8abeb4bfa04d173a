/* What the parts of the library need of each other; not for the board. */
#ifndef NT_INTERNAL_H
#define NT_INTERNAL_H

#include <string.h>

#include "nt_sensor.h"

#define NT_SAMPLE_FLAGS ((unsigned)NT_FRAME_FLAG_CLOCK_STEPPED | (unsigned)NT_FRAME_FLAG_OVERRUN)
#define NT_BIT(characteristic) ((uint8_t)(1u << (characteristic)))

/* nt_frame.c */
size_t nt_sample_size(uint8_t frame_type);
uint8_t nt_samples_that_fit(size_t value_size, uint8_t frame_type);
void nt_frame_begin(uint8_t *frame, uint8_t frame_type, uint8_t flags, uint16_t seq,
                    uint32_t index0, uint64_t device_us, uint8_t rate);
void nt_frame_add(uint8_t *frame, const int16_t *counts);
size_t nt_frame_size(const uint8_t *frame);

/* nt_live.c */
void nt_live_begin(struct nt_sensor *sensor, uint8_t frame_type, uint8_t n_per_frame);
void nt_live_push(struct nt_sensor *sensor, const int16_t *counts, const uint64_t *times_us,
                  size_t n, uint8_t flags);
void nt_live_flush(struct nt_sensor *sensor);
void nt_live_queue(struct nt_sensor *sensor, const uint8_t *frame, size_t size);
void nt_live_send(struct nt_sensor *sensor);
void nt_live_end(struct nt_sensor *sensor);
void nt_live_drop(struct nt_sensor *sensor);

/* nt_store.c */
void nt_store_append(struct nt_store *store, uint32_t boot, uint32_t first,
                     const int16_t *counts, const uint64_t *times_us, size_t n, uint8_t rate,
                     uint8_t flags);
struct nt_page *nt_store_page(const struct nt_store *store, uint16_t place);
bool nt_store_rows(const struct nt_page *page, uint32_t boot, uint32_t first, uint32_t last,
                   uint16_t *begin, uint16_t *end);
uint32_t nt_store_count(const struct nt_store *store, uint32_t boot, uint32_t first,
                        uint32_t last);
uint32_t nt_store_delete(struct nt_store *store, uint32_t boot, uint32_t last);
void nt_store_clear(struct nt_store *store);
uint16_t nt_store_free_permille(const struct nt_store *store);

/* nt_report.c */
uint8_t nt_report_bounds(const struct nt_sensor *sensor, const struct nt_range *wanted,
                         uint32_t *first, uint32_t *last, uint32_t *n);
uint8_t nt_report_begin(struct nt_sensor *sensor, uint8_t token, const struct nt_range *wanted,
                        const uint8_t *request, size_t size);
void nt_report_send(struct nt_sensor *sensor, uint64_t now_us);

/* nt_control.c */
enum nt_att nt_control_write(struct nt_sensor *sensor, const uint8_t *data, size_t size,
                             uint64_t now_us);
void nt_control_report_done(struct nt_sensor *sensor);

/* nt_sensor.c */
size_t nt_value_size(const struct nt_sensor *sensor);
uint8_t nt_n_per_frame(const struct nt_sensor *sensor, uint8_t frame_type);
bool nt_is_subscribed(const struct nt_sensor *sensor, uint16_t characteristic);
void nt_restart_rate(struct nt_sensor *sensor);
uint8_t nt_widest_frame_type(const struct nt_sensor *sensor);

/* What the model offers, as far as this build can: without columns for it no magnetometer. */
uint32_t nt_features(const struct nt_sensor *sensor);

#endif /* NT_INTERNAL_H */
