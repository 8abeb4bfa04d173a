/* The Control Point: one function per operation. */
#include "nt_internal.h"

#define TEXT_MAX 100u
#define BUTTON_HOLDS_US 30000000ull
#define IDENTIFY_DEFAULT_S 5u

/* Parameters of a request; `given` has one bit per type. */
struct parameters {
    uint32_t given;
    uint8_t frame_type;
    uint8_t rate;
    uint8_t n_per_frame;
    uint8_t record;
    uint8_t duration_s;
    uint16_t acc_range_g;
    uint16_t gyr_range_dps;
    int64_t wall_time_utc_us;
    struct nt_range range;
};

/* An answer under construction; parameters that do not fit are left out, with all that follow. */
struct answer {
    uint8_t data[NT_VALUE_MAX];
    size_t size;
    size_t room;
    bool full;
};

static bool has(const struct parameters *p, uint8_t type)
{
    return (p->given & ((uint32_t)1 << type)) != 0;
}

/* Where a parameter goes and how long it is; false for types that requests do not use. */
static bool field_of(struct parameters *p, uint8_t type, void **field, size_t *size)
{
    switch (type) {
    case NT_TLV_TYPE_FRAME_TYPE:
        *field = &p->frame_type;
        *size = sizeof p->frame_type;
        return true;
    case NT_TLV_TYPE_RATE:
        *field = &p->rate;
        *size = sizeof p->rate;
        return true;
    case NT_TLV_TYPE_ACC_RANGE:
        *field = &p->acc_range_g;
        *size = sizeof p->acc_range_g;
        return true;
    case NT_TLV_TYPE_GYR_RANGE:
        *field = &p->gyr_range_dps;
        *size = sizeof p->gyr_range_dps;
        return true;
    case NT_TLV_TYPE_N_PER_FRAME:
        *field = &p->n_per_frame;
        *size = sizeof p->n_per_frame;
        return true;
    case NT_TLV_TYPE_RANGE:
        *field = &p->range;
        *size = sizeof p->range;
        return true;
    case NT_TLV_TYPE_WALL_TIME:
        *field = &p->wall_time_utc_us;
        *size = sizeof p->wall_time_utc_us;
        return true;
    case NT_TLV_TYPE_RECORD:
        *field = &p->record;
        *size = sizeof p->record;
        return true;
    case NT_TLV_TYPE_DURATION:
        *field = &p->duration_s;
        *size = sizeof p->duration_s;
        return true;
    default:
        return false;
    }
}

/* Read the parameters; of a type that comes twice the first stands. False where malformed. */
static bool parse(const uint8_t *data, size_t size, struct parameters *p)
{
    bool sound = true;
    memset(p, 0, sizeof *p);
    for (size_t at = 0; at < size;) {
        if (size - at < 2u || size - at - 2u < data[at + 1u]) {
            return false;
        }
        uint8_t type = data[at];
        uint8_t length = data[at + 1u];
        void *field;
        size_t wanted;
        if (field_of(p, type, &field, &wanted) && !has(p, type)) {
            if (length == wanted) {
                memcpy(field, data + at + 2u, wanted);
            } else {
                sound = false;
            }
            p->given |= (uint32_t)1 << type;
        }
        at += 2u + length;
    }
    return sound;
}

static void put(struct answer *answer, uint8_t type, const void *value, size_t size)
{
    if (answer->full || answer->size + 2u + size > answer->room) {
        answer->full = true;
        return;
    }
    answer->data[answer->size] = type;
    answer->data[answer->size + 1u] = (uint8_t)size;
    memcpy(answer->data + answer->size + 2u, value, size);
    answer->size += 2u + size;
}

static void put_u8(struct answer *answer, uint8_t type, uint8_t value)
{
    put(answer, type, &value, sizeof value);
}

static void put_u16(struct answer *answer, uint8_t type, uint16_t value)
{
    put(answer, type, &value, sizeof value);
}

static void put_u32(struct answer *answer, uint8_t type, uint32_t value)
{
    put(answer, type, &value, sizeof value);
}

static void begin(const struct nt_sensor *sensor, struct answer *answer, uint8_t op, uint8_t token)
{
    struct nt_answer_header header = {
        .op = (uint8_t)(NT_ANSWER_BIT | op), .token = token, .status = NT_CONTROL_STATUS_OK};
    size_t room = sensor->att_mtu - NT_ATT_NOTIFY_OVERHEAD;
    memset(answer, 0, sizeof *answer);
    memcpy(answer->data, &header, sizeof header);
    answer->size = sizeof header;
    answer->room = room < sizeof answer->data ? room : sizeof answer->data;
}

/* Send an answer, and remember it for a repetition of its request. */
static void finish(struct nt_sensor *sensor, struct answer *answer, uint8_t status,
                   const uint8_t *request, size_t request_size)
{
    answer->data[offsetof(struct nt_answer_header, status)] = status;
    sensor->exchange_known = true;
    memcpy(sensor->exchange_request, request, request_size);
    sensor->exchange_request_size = (uint16_t)request_size;
    memcpy(sensor->exchange_answer, answer->data, answer->size);
    sensor->exchange_answer_size = (uint16_t)answer->size;
    (void)sensor->send(sensor->context, NT_UUID_CONTROL_POINT_SHORT, answer->data, answer->size);
}

static void put_range(struct answer *answer, const struct nt_range *range, uint32_t n)
{
    put(answer, NT_TLV_TYPE_RANGE, range, sizeof *range);
    put_u32(answer, NT_TLV_TYPE_SAMPLE_COUNT, n);
}

void nt_control_report_done(struct nt_sensor *sensor)
{
    struct nt_report *report = &sensor->report;
    struct answer answer;
    begin(sensor, &answer, NT_OP_REPORT, report->token);
    put_range(&answer, &report->wanted, report->sent);
    report->running = false;
    finish(sensor, &answer,
           report->incomplete ? NT_CONTROL_STATUS_NOT_COMPLETED : NT_CONTROL_STATUS_OK,
           report->request, report->request_size);
}

static void put_config(const struct nt_sensor *sensor, struct answer *answer)
{
    const struct nt_model *model = sensor->model;
    bool mag = (nt_features(sensor) & NT_FEATURE_MAG) != 0;
    size_t name = strlen(model->name);
    put_u8(answer, NT_TLV_TYPE_RATE, sensor->settings.rate);
    put_u16(answer, NT_TLV_TYPE_ACC_RANGE, sensor->settings.acc_range_g);
    put_u16(answer, NT_TLV_TYPE_GYR_RANGE, sensor->settings.gyr_range_dps);
    put_u32(answer, NT_TLV_TYPE_BOOT_COUNTER, sensor->boot_counter);
    put_u8(answer, NT_TLV_TYPE_N_PER_FRAME, nt_n_per_frame(sensor, nt_widest_frame_type(sensor)));
    put(answer, NT_TLV_TYPE_RATES, model->rates, model->rate_count);
    if (mag) {
        put_u16(answer, NT_TLV_TYPE_MAG_RANGE, model->mag_range_ut);
    }
    if (sensor->measured_rate_mhz != 0) {
        put_u32(answer, NT_TLV_TYPE_MEASURED_RATE, sensor->measured_rate_mhz);
    }
    put(answer, NT_TLV_TYPE_ACC_RANGES, model->acc_ranges_g,
        model->acc_range_count * sizeof model->acc_ranges_g[0]);
    put(answer, NT_TLV_TYPE_GYR_RANGES, model->gyr_ranges_dps,
        model->gyr_range_count * sizeof model->gyr_ranges_dps[0]);
    if (model->gyr_noise_known) {
        put_u32(answer, NT_TLV_TYPE_GYR_NOISE, model->gyr_noise);
    }
    if (model->sample_delay_known) {
        put_u16(answer, NT_TLV_TYPE_SAMPLE_DELAY, model->sample_delay_us);
    }
    put(answer, NT_TLV_TYPE_MODEL, model->name, name < TEXT_MAX ? name : TEXT_MAX);
}

static bool offers_rate(const struct nt_model *model, uint8_t rate)
{
    return memchr(model->rates, rate, model->rate_count) != NULL;
}

static bool contains(const uint16_t *offered, uint8_t count, uint16_t value)
{
    for (uint8_t i = 0; i < count; i++) {
        if (offered[i] == value) {
            return true;
        }
    }
    return false;
}

static uint8_t set_config(struct nt_sensor *sensor, const struct parameters *p,
                          struct answer *answer)
{
    if (sensor->live.on) {
        return NT_CONTROL_STATUS_WRONG_STATE;
    }
    const struct nt_model *model = sensor->model;
    struct nt_settings wanted = sensor->settings;
    wanted.rate = has(p, NT_TLV_TYPE_RATE) ? p->rate : wanted.rate;
    wanted.acc_range_g = has(p, NT_TLV_TYPE_ACC_RANGE) ? p->acc_range_g : wanted.acc_range_g;
    wanted.gyr_range_dps = has(p, NT_TLV_TYPE_GYR_RANGE) ? p->gyr_range_dps : wanted.gyr_range_dps;
    wanted.n_per_frame = has(p, NT_TLV_TYPE_N_PER_FRAME) ? p->n_per_frame : wanted.n_per_frame;
    if (!offers_rate(model, wanted.rate) ||
        !contains(model->acc_ranges_g, model->acc_range_count, wanted.acc_range_g) ||
        !contains(model->gyr_ranges_dps, model->gyr_range_count, wanted.gyr_range_dps)) {
        return NT_CONTROL_STATUS_OPERAND_UNSUPPORTED;
    }
    if (wanted.rate != sensor->settings.rate) {
        nt_restart_rate(sensor);
    }
    sensor->settings = wanted;
    put_config(sensor, answer);
    return NT_CONTROL_STATUS_OK;
}

static uint8_t start_stream(struct nt_sensor *sensor, const struct parameters *p,
                            struct answer *answer)
{
    if (sensor->fault) {
        return NT_CONTROL_STATUS_SENSOR_FAULT;
    }
    if (sensor->live.on || !nt_is_subscribed(sensor, NT_UUID_SENSOR_STREAM_SHORT)) {
        return NT_CONTROL_STATUS_WRONG_STATE;
    }
    uint8_t type = has(p, NT_TLV_TYPE_FRAME_TYPE) ? p->frame_type : (uint8_t)NT_FRAME_TYPE_IMU6;
    uint8_t rate = has(p, NT_TLV_TYPE_RATE) ? p->rate : sensor->settings.rate;
    bool known = type == NT_FRAME_TYPE_IMU6 || type == nt_widest_frame_type(sensor);
    if (!known || !offers_rate(sensor->model, rate)) {
        return NT_CONTROL_STATUS_OPERAND_UNSUPPORTED;
    }
    uint8_t n = nt_n_per_frame(sensor, type);
    if (n == 0) {
        return NT_CONTROL_STATUS_MTU_TOO_SMALL;
    }
    if (rate != sensor->settings.rate) {
        nt_restart_rate(sensor);
    }
    sensor->settings.rate = rate;
    nt_live_begin(sensor, type, n);
    put_u32(answer, NT_TLV_TYPE_BOOT_COUNTER, sensor->boot_counter);
    put_u32(answer, NT_TLV_TYPE_NEXT_INDEX, sensor->next_index);
    put_u8(answer, NT_TLV_TYPE_N_PER_FRAME, n);
    return NT_CONTROL_STATUS_OK;
}

static uint8_t stop_stream(struct nt_sensor *sensor)
{
    if (!sensor->live.on) {
        return NT_CONTROL_STATUS_WRONG_STATE;
    }
    nt_live_end(sensor);
    return NT_CONTROL_STATUS_OK;
}

static uint8_t set_wall_time(struct nt_sensor *sensor, const struct parameters *p,
                             struct answer *answer, uint64_t now_us)
{
    if (!has(p, NT_TLV_TYPE_WALL_TIME)) {
        return NT_CONTROL_STATUS_OPERAND_INVALID;
    }
    sensor->wall_time_known = true;
    sensor->wall_time_device_us = now_us;
    sensor->wall_time_utc_us = p->wall_time_utc_us;
    put(answer, NT_TLV_TYPE_DEVICE_TIME, &now_us, sizeof now_us);
    return NT_CONTROL_STATUS_OK;
}

static uint8_t record(struct nt_sensor *sensor, const struct parameters *p)
{
    if (!has(p, NT_TLV_TYPE_RECORD) || p->record > 1u) {
        return NT_CONTROL_STATUS_OPERAND_INVALID;
    }
    if (sensor->fault) {
        return NT_CONTROL_STATUS_SENSOR_FAULT;
    }
    sensor->recording = p->record == 1u;
    return NT_CONTROL_STATUS_OK;
}

static uint8_t count(struct nt_sensor *sensor, const struct parameters *p, struct answer *answer)
{
    if (!has(p, NT_TLV_TYPE_RANGE)) {
        return NT_CONTROL_STATUS_OPERAND_INVALID;
    }
    uint32_t first;
    uint32_t last;
    uint32_t n;
    uint8_t status = nt_report_bounds(sensor, &p->range, &first, &last, &n);
    if (status == NT_CONTROL_STATUS_OK) {
        put_range(answer, &p->range, n);
    }
    return status;
}

static uint8_t delete_range(struct nt_sensor *sensor, const struct parameters *p,
                            struct answer *answer)
{
    if (!has(p, NT_TLV_TYPE_RANGE)) {
        return NT_CONTROL_STATUS_OPERAND_INVALID;
    }
    if (p->range.operator != NT_RANGE_OPERATOR_UP_TO) {
        return NT_CONTROL_STATUS_OPERATOR_INVALID;
    }
    uint32_t gone = nt_store_delete(&sensor->store, p->range.boot_counter, p->range.last);
    if (gone == 0) {
        return NT_CONTROL_STATUS_NO_RECORDS;
    }
    put_range(answer, &p->range, gone);
    return NT_CONTROL_STATUS_OK;
}

static uint8_t factory_reset(struct nt_sensor *sensor, uint64_t now_us)
{
    if (!sensor->button_pressed || now_us - sensor->button_us > BUTTON_HOLDS_US) {
        return NT_CONTROL_STATUS_WRONG_STATE;
    }
    nt_live_end(sensor);
    sensor->recording = false;
    nt_store_clear(&sensor->store);
    return NT_CONTROL_STATUS_OK;
}

/* Begin a REPORT; returns NT_CONTROL_STATUS_OK where it runs and is answered later. */
static uint8_t begin_report(struct nt_sensor *sensor, uint8_t token, const struct parameters *p,
                            const uint8_t *request, size_t size)
{
    const struct nt_report *report = &sensor->report;
    if ((nt_features(sensor) & NT_FEATURE_BACKFILL) == 0) {
        return NT_CONTROL_STATUS_OP_UNKNOWN;
    }
    if (report->running) {
        /* its answer follows the last frame, so a repetition needs nothing */
        bool same =
            report->request_size == size && memcmp(report->request, request, size) == 0;
        return same ? NT_CONTROL_STATUS_OK : NT_CONTROL_STATUS_BUSY;
    }
    if (!has(p, NT_TLV_TYPE_RANGE)) {
        return NT_CONTROL_STATUS_OPERAND_INVALID;
    }
    if (!nt_is_subscribed(sensor, NT_UUID_BACKFILL_SHORT)) {
        return NT_CONTROL_STATUS_WRONG_STATE;
    }
    return nt_report_begin(sensor, token, &p->range, request, size);
}

static uint8_t act(struct nt_sensor *sensor, uint8_t op, const struct parameters *p,
                   struct answer *answer, uint64_t now_us)
{
    bool flash = (nt_features(sensor) & NT_FEATURE_BACKFILL) != 0;
    bool busy = sensor->report.running;
    switch (op) {
    case NT_OP_GET_CONFIG:
        put_config(sensor, answer);
        return NT_CONTROL_STATUS_OK;
    case NT_OP_SET_CONFIG:
        return busy ? NT_CONTROL_STATUS_BUSY : set_config(sensor, p, answer);
    case NT_OP_START_STREAM:
        return start_stream(sensor, p, answer);
    case NT_OP_STOP_STREAM:
        return stop_stream(sensor);
    case NT_OP_SET_WALL_TIME:
        return set_wall_time(sensor, p, answer, now_us);
    case NT_OP_IDENTIFY:
        sensor->identify_until_us =
            now_us +
            1000000ull * (has(p, NT_TLV_TYPE_DURATION) ? p->duration_s : IDENTIFY_DEFAULT_S);
        return NT_CONTROL_STATUS_OK;
    case NT_OP_FACTORY_RESET:
        return busy ? NT_CONTROL_STATUS_BUSY : factory_reset(sensor, now_us);
    case NT_OP_RECORD:
        return flash ? record(sensor, p) : NT_CONTROL_STATUS_OP_UNKNOWN;
    case NT_OP_COUNT:
        return !flash ? NT_CONTROL_STATUS_OP_UNKNOWN
               : busy ? NT_CONTROL_STATUS_BUSY
                      : count(sensor, p, answer);
    case NT_OP_DELETE:
        return !flash ? NT_CONTROL_STATUS_OP_UNKNOWN
               : busy ? NT_CONTROL_STATUS_BUSY
                      : delete_range(sensor, p, answer);
    default:
        return NT_CONTROL_STATUS_OP_UNKNOWN;
    }
}

enum nt_att nt_control_write(struct nt_sensor *sensor, const uint8_t *data, size_t size,
                             uint64_t now_us)
{
    if (sensor->exchange_known && size == sensor->exchange_request_size &&
        memcmp(data, sensor->exchange_request, size) == 0) {
        (void)sensor->send(sensor->context, NT_UUID_CONTROL_POINT_SHORT, sensor->exchange_answer,
                           sensor->exchange_answer_size);
        return NT_ATT_OK;
    }
    if (size < sizeof(struct nt_request_header) || size > NT_REQUEST_MAX) {
        return NT_ATT_INVALID_LENGTH;
    }
    uint8_t op = data[offsetof(struct nt_request_header, op)];
    uint8_t token = data[offsetof(struct nt_request_header, token)];
    if ((op & NT_ANSWER_BIT) != 0 || token == 0) {
        return NT_ATT_VALUE_NOT_ALLOWED;
    }
    struct parameters p;
    struct answer answer;
    size_t head = sizeof(struct nt_request_header);
    bool sound = parse(data + head, size - head, &p);
    begin(sensor, &answer, op, token);
    uint8_t status;
    bool answered = true;
    if (!sound) {
        status = NT_CONTROL_STATUS_OPERAND_INVALID;
    } else if (op == NT_OP_REPORT) {
        status = begin_report(sensor, token, &p, data, size);
        answered = status != NT_CONTROL_STATUS_OK; /* else after its last frame */
    } else if (op == NT_OP_ABORT) {
        status = sensor->report.running ? NT_CONTROL_STATUS_OK : NT_CONTROL_STATUS_ABORT_FAILED;
    } else {
        status = act(sensor, op, &p, &answer, now_us);
    }
    if (status != NT_CONTROL_STATUS_OK) {
        answer.size = sizeof(struct nt_answer_header);
    }
    nt_live_send(sensor); /* what was streamed before the answer comes before it */
    if (sound && op == NT_OP_ABORT && sensor->report.running) {
        sensor->report.incomplete = true;
        nt_control_report_done(sensor);
    }
    if (answered) {
        finish(sensor, &answer, status, data, size);
    }
    return NT_ATT_OK;
}
