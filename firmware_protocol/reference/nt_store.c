/*
 * The store: a ring of pages in memory the board provides. A board with a NOR flash keeps the
 * functions of this file and replaces what stands behind the pages.
 */
#include "nt_internal.h"

struct nt_page *nt_store_page(const struct nt_store *store, uint16_t place)
{
    return &store->pages[store->order[place]];
}

static void forget(struct nt_store *store, uint16_t place)
{
    nt_store_page(store, place)->used = false;
    store->count--;
    memmove(&store->order[place], &store->order[place + 1u],
            (size_t)(store->count - place) * sizeof store->order[0]);
}

static struct nt_page *new_page(struct nt_store *store, uint32_t boot, uint32_t first,
                                uint64_t first_us, uint8_t rate, uint8_t flags)
{
    if (store->count == store->limit) {
        forget(store, 0);
        store->wrapped = true;
    }
    uint16_t number = 0;
    while (store->pages[number].used) {
        number++;
    }
    struct nt_page *page = &store->pages[number];
    page->boot = boot;
    page->first = first;
    page->first_us = first_us;
    page->serial = store->next_serial++;
    page->begin = 0;
    page->end = 0;
    page->rate = rate;
    page->flags = flags;
    page->used = true;
    store->order[store->count++] = number;
    return page;
}

void nt_store_append(struct nt_store *store, uint32_t boot, uint32_t first,
                     const int16_t *counts, const uint64_t *times_us, size_t n, uint8_t rate,
                     uint8_t flags)
{
    struct nt_page *page = store->count > 0 ? nt_store_page(store, (uint16_t)(store->count - 1u)) : NULL;
    for (size_t i = 0; i < n; i++) {
        uint32_t index = first + (uint32_t)i;
        uint8_t own = i == 0 ? (uint8_t)(flags & NT_SAMPLE_FLAGS) : 0u;
        bool fits = page != NULL && page->end < NT_PAGE_SAMPLES && page->boot == boot &&
                    page->rate == rate && page->first + page->end == index && own == 0 &&
                    times_us[i] - page->first_us <= UINT32_MAX;
        if (!fits) {
            page = new_page(store, boot, index, times_us[i], rate, own);
        }
        page->after_us[page->end] = (uint32_t)(times_us[i] - page->first_us);
        memcpy(page->samples[page->end], counts + i * NT_COLUMNS, sizeof page->samples[0]);
        page->end++;
    }
}

bool nt_store_rows(const struct nt_page *page, uint32_t boot, uint32_t first, uint32_t last,
                   uint16_t *begin, uint16_t *end)
{
    if (page->boot != boot) {
        return false;
    }
    int64_t from = (int64_t)first - page->first;
    int64_t to = (int64_t)last - page->first + 1;
    *begin = from > page->begin ? (uint16_t)(from > page->end ? page->end : from) : page->begin;
    *end = to < page->end ? (uint16_t)(to < 0 ? 0 : to) : page->end;
    return *begin < *end;
}

uint32_t nt_store_count(const struct nt_store *store, uint32_t boot, uint32_t first, uint32_t last)
{
    uint32_t n = 0;
    for (uint16_t place = 0; place < store->count; place++) {
        uint16_t begin;
        uint16_t end;
        if (nt_store_rows(nt_store_page(store, place), boot, first, last, &begin, &end)) {
            n += (uint32_t)(end - begin);
        }
    }
    return n;
}

uint32_t nt_store_delete(struct nt_store *store, uint32_t boot, uint32_t last)
{
    uint32_t gone = 0;
    uint16_t place = 0;
    while (place < store->count) {
        struct nt_page *page = nt_store_page(store, place);
        uint16_t begin;
        uint16_t end;
        if (nt_store_rows(page, boot, 0, last, &begin, &end)) {
            gone += (uint32_t)(end - begin);
            page->begin = end;
        }
        if (page->begin == page->end) {
            forget(store, place);
        } else {
            place++;
        }
    }
    return gone;
}

void nt_store_clear(struct nt_store *store)
{
    while (store->count > 0) {
        forget(store, (uint16_t)(store->count - 1u));
    }
    store->wrapped = false;
}

uint16_t nt_store_free_permille(const struct nt_store *store)
{
    return (uint16_t)(1000u * (uint32_t)(store->limit - store->count) / store->limit);
}
