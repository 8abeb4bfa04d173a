/* Range reports: which stored samples a request means, and the frames that carry them. */
#include "nt_internal.h"

#define FRAME_COST 1000000ull /* credit for one frame: microseconds times frames per second */

static bool bounds_of_end(const struct nt_sensor *sensor, const struct nt_range *wanted, bool oldest,
                          uint32_t *first, uint32_t *last)
{
    const struct nt_store *store = &sensor->store;
    uint16_t n = nt_samples_that_fit(nt_value_size(sensor), nt_widest_frame_type(sensor));
    for (uint16_t i = 0; i < store->count; i++) {
        const struct nt_page *page =
            nt_store_page(store, oldest ? i : (uint16_t)(store->count - 1u - i));
        if (page->boot != wanted->boot_counter || page->begin == page->end) {
            continue;
        }
        uint16_t rows = (uint16_t)(page->end - page->begin);
        uint16_t taken = rows < n ? rows : n;
        if (taken == 0) {
            return false;
        }
        *first = page->first + (oldest ? page->begin : (uint32_t)(page->end - taken));
        *last = *first + taken - 1u;
        return true;
    }
    return false;
}

/* Find the bounds of a range and how many samples are stored of it; returns a control status. */
uint8_t nt_report_bounds(const struct nt_sensor *sensor, const struct nt_range *wanted,
                         uint32_t *first, uint32_t *last, uint32_t *n)
{
    *first = 0;
    *last = UINT32_MAX;
    *n = 0;
    switch (wanted->operator) {
    case NT_RANGE_OPERATOR_ALL:
        break;
    case NT_RANGE_OPERATOR_UP_TO:
        *last = wanted->last;
        break;
    case NT_RANGE_OPERATOR_FROM:
        *first = wanted->first;
        break;
    case NT_RANGE_OPERATOR_BETWEEN:
        if (wanted->first > wanted->last) {
            return NT_CONTROL_STATUS_OPERAND_INVALID;
        }
        *first = wanted->first;
        *last = wanted->last;
        break;
    case NT_RANGE_OPERATOR_FIRST:
    case NT_RANGE_OPERATOR_LAST:
        if (!bounds_of_end(sensor, wanted, wanted->operator == NT_RANGE_OPERATOR_FIRST, first,
                           last)) {
            return NT_CONTROL_STATUS_OK;
        }
        break;
    case 0:
        return NT_CONTROL_STATUS_OPERATOR_INVALID;
    default:
        return NT_CONTROL_STATUS_OPERATOR_UNSUPPORTED;
    }
    *n = nt_store_count(&sensor->store, wanted->boot_counter, *first, *last);
    return NT_CONTROL_STATUS_OK;
}

/* Move to the first row at or after `row` of page `serial`, or of a later page. */
static void find_next(struct nt_sensor *sensor, uint32_t serial, uint16_t row)
{
    struct nt_report *report = &sensor->report;
    report->has_next = false;
    for (uint16_t place = 0; place < sensor->store.count; place++) {
        const struct nt_page *page = nt_store_page(&sensor->store, place);
        uint16_t begin;
        uint16_t end;
        /* serials wrap, so they are compared by their distance */
        int32_t ahead = (int32_t)(page->serial - serial);
        if (ahead < 0 || !nt_store_rows(page, report->wanted.boot_counter, report->first,
                                        report->last, &begin, &end)) {
            continue;
        }
        if (ahead == 0 && row > begin) {
            begin = row;
        }
        if (begin < end) {
            report->has_next = true;
            report->serial = page->serial;
            report->row = begin;
            return;
        }
    }
}

static const struct nt_page *page_of(const struct nt_store *store, uint32_t serial)
{
    for (uint16_t place = 0; place < store->count; place++) {
        const struct nt_page *page = nt_store_page(store, place);
        if (page->serial == serial) {
            return page;
        }
    }
    return NULL;
}

uint8_t nt_report_begin(struct nt_sensor *sensor, uint8_t token, const struct nt_range *wanted,
                        const uint8_t *request, size_t size)
{
    struct nt_report *report = &sensor->report;
    uint8_t n = nt_samples_that_fit(nt_value_size(sensor), nt_widest_frame_type(sensor));
    if (n == 0) {
        return NT_CONTROL_STATUS_MTU_TOO_SMALL;
    }
    uint32_t first;
    uint32_t last;
    uint32_t stored;
    uint8_t status = nt_report_bounds(sensor, wanted, &first, &last, &stored);
    if (status != NT_CONTROL_STATUS_OK) {
        return status;
    }
    if (stored == 0) {
        return NT_CONTROL_STATUS_NO_RECORDS;
    }
    /* what is recorded from now on is not part of this report */
    uint32_t newest = 0;
    for (uint16_t place = 0; place < sensor->store.count; place++) {
        const struct nt_page *page = nt_store_page(&sensor->store, place);
        if (page->boot == wanted->boot_counter && page->end > 0) {
            newest = page->first + page->end - 1u;
        }
    }
    memset(report, 0, sizeof *report);
    report->running = true;
    report->token = token;
    report->n_per_frame = n;
    report->first = first;
    report->last = last < newest ? last : newest;
    report->wanted = *wanted;
    memcpy(report->request, request, size);
    report->request_size = (uint16_t)size;
    find_next(sensor, nt_store_page(&sensor->store, 0)->serial, 0);
    return NT_CONTROL_STATUS_OK;
}

/* Send the next frame. Returns false when there is none, or when the radio has no room. */
static bool send_frame(struct nt_sensor *sensor)
{
    struct nt_report *report = &sensor->report;
    const struct nt_page *page = NULL;
    while (report->has_next && (page = page_of(&sensor->store, report->serial)) == NULL) {
        report->incomplete = true; /* overwritten before it was sent */
        find_next(sensor, report->serial, 0);
    }
    if (page == NULL || !report->has_next) {
        return false;
    }
    uint16_t begin;
    uint16_t end;
    (void)nt_store_rows(page, report->wanted.boot_counter, report->first, report->last, &begin,
                        &end);
    uint16_t row = report->row;
    uint16_t stop = (uint16_t)(row + report->n_per_frame) < end
                        ? (uint16_t)(row + report->n_per_frame)
                        : end;
    uint8_t frame[NT_VALUE_MAX];
    uint8_t flags = (uint8_t)(NT_FRAME_FLAG_STORED | (row == 0 ? page->flags : 0));
    uint32_t serial = report->serial;
    nt_frame_begin(frame, nt_widest_frame_type(sensor), flags, sensor->backfill_seq,
                   page->first + row, page->first_us + page->after_us[row], page->rate);
    for (uint16_t i = row; i < stop; i++) {
        nt_frame_add(frame, page->samples[i]);
    }
    find_next(sensor, serial, stop);
    if (!report->has_next) {
        frame[1] |= NT_FRAME_FLAG_LAST;
    }
    if (!sensor->send(sensor->context, NT_UUID_BACKFILL_SHORT, frame, nt_frame_size(frame))) {
        report->has_next = true;
        report->serial = serial;
        report->row = row;
        return false;
    }
    report->sent += (uint32_t)(stop - row);
    sensor->backfill_seq++;
    return true;
}

void nt_report_send(struct nt_sensor *sensor, uint64_t now_us)
{
    if (!sensor->report.running) {
        sensor->backfill_timed = false;
        return;
    }
    uint64_t rate = sensor->model->backfill_frames_per_s;
    uint64_t elapsed_us =
        sensor->backfill_timed && now_us > sensor->backfill_us ? now_us - sensor->backfill_us : 0;
    sensor->backfill_timed = true;
    sensor->backfill_us = now_us;
    /* at most a second's worth at once, so that a late caller does not get a flood */
    uint64_t most = rate * FRAME_COST;
    uint64_t earned =
        elapsed_us >= FRAME_COST ? most : sensor->backfill_credit + elapsed_us * rate;
    sensor->backfill_credit = earned < most ? earned : most;
    while (sensor->backfill_credit >= FRAME_COST && send_frame(sensor)) {
        sensor->backfill_credit -= FRAME_COST;
    }
    if (!sensor->report.has_next) {
        sensor->backfill_credit = 0;
        nt_control_report_done(sensor);
    }
}
