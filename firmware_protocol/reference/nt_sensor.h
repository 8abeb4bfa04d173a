/*
 * Sensor side of the necktrace protocol v1: framing, store of samples, range reports, control
 * point, status, time sync. No heap, no operating system, no clock: the board passes the time and
 * sends what it is given.
 *
 * All functions are to be called from one context (one thread, or with interrupts of the same
 * priority masked). Times are microseconds since boot and must never step.
 *
 * The Python twin is firmware_protocol/device; tests drive both with the same calls and compare
 * every byte.
 */
#ifndef NT_SENSOR_H
#define NT_SENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "necktrace_protocol.h"

#ifndef NT_COLUMNS
#define NT_COLUMNS 6u /* counts per sample: 6, or 9 with a magnetometer */
#endif
#ifndef NT_PAGE_SAMPLES
#define NT_PAGE_SAMPLES 252u /* samples per page of the store: a multiple of 18 and 12 */
#endif
#ifndef NT_LIVE_QUEUE
#define NT_LIVE_QUEUE 8u /* live frames that wait for the radio */
#endif
#define NT_VALUE_MAX 244u /* longest notification: ATT MTU 247 */
#define NT_MTU_NONE 23u   /* ATT MTU before the exchange */

#if NT_COLUMNS != 6u && NT_COLUMNS != 9u
#error "NT_COLUMNS is 6 or 9"
#endif

/* ATT errors that nt_write, nt_read and nt_subscribe return; 0 is success. */
enum nt_att {
    NT_ATT_OK = 0x00,
    NT_ATT_READ_NOT_PERMITTED = 0x02,
    NT_ATT_WRITE_NOT_PERMITTED = 0x03,
    NT_ATT_NOT_PERMITTED = 0x06,
    NT_ATT_INVALID_LENGTH = 0x0d,
    NT_ATT_VALUE_NOT_ALLOWED = 0x13,
    NT_ATT_CCCD_IMPROPER = 0xfd,
};

/*
 * Notifies or indicates a value (short UUID number as in NT_UUID_..._SHORT). Returns false when the
 * radio has no room; live and stored frames are then offered again at the next nt_due, Status is
 * offered again, and an answer is lost, so that the host repeats its request.
 */
typedef bool (*nt_send)(void *context, uint16_t characteristic, const uint8_t *data, size_t size);

/* What a firmware build and a production line fix. */
struct nt_model {
    uint8_t device_id[8];
    const char *name; /* UTF-8, at most 100 bytes */
    uint32_t features; /* enum nt_feature */
    const uint8_t *rates; /* rate codes, ascending */
    uint8_t rate_count;
    const uint16_t *acc_ranges_g;
    uint8_t acc_range_count;
    const uint16_t *gyr_ranges_dps;
    uint8_t gyr_range_count;
    uint16_t mag_range_ut;
    bool gyr_noise_known;
    uint32_t gyr_noise; /* 1e-6 deg/s/sqrt(Hz) */
    bool sample_delay_known;
    uint16_t sample_delay_us;
    uint16_t max_payload; /* at most NT_VALUE_MAX */
    uint32_t backfill_frames_per_s;
};

/* What SET_CONFIG changes; keep it over a reset. */
struct nt_settings {
    uint8_t rate;
    uint16_t acc_range_g;
    uint16_t gyr_range_dps;
    uint8_t n_per_frame; /* 0: as many as fit */
};

/* Consecutive samples of one boot at one rate. */
struct nt_page {
    uint32_t boot;
    uint32_t first; /* index of row 0 */
    uint64_t first_us;
    uint32_t serial; /* grows with every page begun */
    uint16_t begin; /* first row that is not deleted */
    uint16_t end; /* one past the last row */
    uint8_t rate;
    uint8_t flags; /* frame flags of row 0 */
    bool used;
    uint32_t after_us[NT_PAGE_SAMPLES]; /* time of each row after first_us */
    int16_t samples[NT_PAGE_SAMPLES][NT_COLUMNS];
};

/* A ring of pages; the oldest one makes room. */
struct nt_store {
    struct nt_page *pages;
    uint16_t *order; /* page numbers, oldest first */
    uint16_t limit; /* pages there are, at least 2 */
    uint16_t count; /* pages in use */
    uint32_t next_serial;
    bool wrapped;
};

struct nt_live {
    bool on;
    uint8_t frame_type;
    uint8_t n_per_frame;
    uint8_t waiting; /* samples in the frame that is being filled */
    uint16_t seq; /* of the next frame */
    uint8_t building[NT_VALUE_MAX];
    uint8_t queue[NT_LIVE_QUEUE][NT_VALUE_MAX];
    uint16_t size[NT_LIVE_QUEUE];
    uint16_t head;
    uint16_t count;
};

struct nt_report {
    bool running;
    bool incomplete;
    bool has_next;
    uint8_t token;
    uint8_t n_per_frame;
    uint32_t serial; /* page of the next frame */
    uint16_t row;
    uint32_t first; /* bounds within the boot, included */
    uint32_t last;
    uint32_t sent; /* samples */
    struct nt_range wanted;
    uint8_t request[NT_REQUEST_MAX];
    uint16_t request_size;
};

struct nt_sensor {
    const struct nt_model *model;
    struct nt_settings settings;
    struct nt_store store;
    nt_send send;
    void *context;

    uint32_t boot_counter;
    uint32_t next_index;
    bool recording;
    bool fault; /* the motion sensor failed */
    uint16_t battery_mv;
    int8_t temperature_half_degc;
    uint8_t flags; /* enum nt_status_flag; flash wrapped is added */
    uint32_t frames_dropped;
    bool wall_time_known;
    uint64_t wall_time_device_us;
    int64_t wall_time_utc_us;
    uint64_t identify_until_us;
    bool button_pressed;
    uint64_t button_us;

    bool rate_started;
    uint32_t rate_index;
    uint64_t rate_start_us;
    uint32_t measured_rate_mhz; /* 0: not yet known */

    uint16_t att_mtu; /* 0: nobody is connected */
    uint16_t interval_1250us;
    uint8_t subscribed; /* bit n: characteristic n */
    struct nt_live live;
    struct nt_report report;
    uint16_t backfill_seq;
    uint64_t backfill_credit;
    bool backfill_timed;
    uint64_t backfill_us;
    uint64_t status_due_us;
    struct nt_status status_told;
    bool exchange_known;
    uint8_t exchange_request[NT_REQUEST_MAX];
    uint16_t exchange_request_size;
    uint8_t exchange_answer[NT_VALUE_MAX];
    uint16_t exchange_answer_size;
};

/*
 * Prepare a sensor that has just left production: pages and order are `page_count` elements each
 * (order of uint16_t), and stay the library's for good.
 */
void nt_init(struct nt_sensor *sensor, const struct nt_model *model, struct nt_page *pages,
             uint16_t *order, uint16_t page_count, nt_send send, void *context);

/* Begin a boot: index 0; store, settings and recording stay as they are. */
void nt_boot(struct nt_sensor *sensor, uint32_t boot_counter);

/* The link. */
void nt_connect(struct nt_sensor *sensor, uint16_t att_mtu, uint16_t interval_1250us);
void nt_disconnect(struct nt_sensor *sensor);
enum nt_att nt_subscribe(struct nt_sensor *sensor, uint16_t characteristic, bool on,
                         uint64_t now_us);
enum nt_att nt_read(const struct nt_sensor *sensor, uint16_t characteristic, uint8_t *out,
                    size_t room, size_t *size);
enum nt_att nt_write(struct nt_sensor *sensor, uint16_t characteristic, const uint8_t *data,
                     size_t size, uint64_t now_us);

/*
 * Take the next samples: counts is n rows of NT_COLUMNS, times_us their device times, strictly
 * increasing; flags of the first one: clock stepped, overrun.
 */
void nt_push(struct nt_sensor *sensor, const int16_t *counts, const uint64_t *times_us, size_t n,
             uint8_t flags);

/* Send an event frame, if streaming. */
void nt_event(struct nt_sensor *sensor, uint8_t code, uint8_t detail, int16_t value,
              uint64_t now_us);

/* Tell that the button was pressed: FACTORY_RESET is accepted for 30 s. */
void nt_button(struct nt_sensor *sensor, uint64_t now_us);

/* Send what is due: live frames, Status, then stored frames. Call it after nt_push and on a timer. */
void nt_due(struct nt_sensor *sensor, uint64_t now_us);

/* The present Status. */
struct nt_status nt_status_now(const struct nt_sensor *sensor);

#endif /* NT_SENSOR_H */
