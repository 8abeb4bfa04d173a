/*
 * Fuzz target: the input is a sequence of calls. Works with libFuzzer (clang -fsanitize=fuzzer), and
 * with -DNT_FUZZ_MAIN as a program that reads inputs from files or makes its own from a seed.
 */
#include <string.h>

#include "../nt_sensor.h"

#define PAGES 4u

static size_t sent;

static bool swallow(void *context, uint16_t characteristic, const uint8_t *data, size_t size)
{
    const struct nt_sensor *sensor = context;
    unsigned sum = characteristic;
    for (size_t i = 0; i < size; i++) {
        sum += data[i]; /* touches every byte, so that the sanitizer sees what was not written */
    }
    if (size > NT_VALUE_MAX || sensor->att_mtu == 0 || size + NT_ATT_NOTIFY_OVERHEAD > 517u) {
        __builtin_trap();
    }
    sent++;
    return (sum + sent) % 7u != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t rates[] = {NT_RATE_CODE_HZ_50, NT_RATE_CODE_HZ_100};
    static const uint16_t acc[] = {16};
    static const uint16_t gyr[] = {500, 2000};
    static const struct nt_model model = {.name = "fuzz",
                                          .features = 0x3f,
                                          .rates = rates,
                                          .rate_count = 2,
                                          .acc_ranges_g = acc,
                                          .acc_range_count = 1,
                                          .gyr_ranges_dps = gyr,
                                          .gyr_range_count = 2,
                                          .mag_range_ut = 50,
                                          .max_payload = NT_VALUE_MAX,
                                          .backfill_frames_per_s = 50};
    static struct nt_page pages[PAGES];
    static uint16_t order[PAGES];
    static struct nt_sensor sensor;
    int16_t counts[300][NT_COLUMNS];
    uint64_t times[300];
    uint64_t now_us = 0;
    nt_init(&sensor, &model, pages, order, PAGES, swallow, &sensor);
    nt_boot(&sensor, 1);
    sensor.recording = true;
    for (size_t at = 0; at + 1u < size;) {
        uint8_t verb = data[at] % 10u;
        uint8_t value = data[at + 1u];
        at += 2u;
        switch (verb) {
        case 0:
            nt_connect(&sensor, (uint16_t)(value * 3u), 12);
            break;
        case 1:
            nt_disconnect(&sensor);
            break;
        case 2:
            (void)nt_subscribe(&sensor, value & 0x0fu, (value & 0x10u) == 0, now_us);
            break;
        case 3:
        case 4: {
            size_t length = value < size - at ? value : size - at;
            (void)nt_write(&sensor, verb == 3 ? NT_UUID_CONTROL_POINT_SHORT : (value & 7u),
                           data + at, length, now_us);
            at += length;
            break;
        }
        case 5:
        case 6:
            for (size_t i = 0; i < 300u; i++) {
                memset(counts[i], value, sizeof counts[i]);
                times[i] = now_us + i * 10000u;
            }
            nt_push(&sensor, counts[0], times, value, verb == 6 ? value : 0);
            now_us += value * 10000u;
            break;
        case 7:
            now_us += value * 20000u;
            nt_due(&sensor, now_us);
            break;
        case 8:
            nt_boot(&sensor, value % 3u);
            break;
        default: {
            uint8_t out[32];
            size_t read;
            (void)nt_read(&sensor, value & 7u, out, sizeof out, &read);
            nt_button(&sensor, now_us);
            break;
        }
        }
    }
    return 0;
}

#ifdef NT_FUZZ_MAIN
#include <stdio.h>
#include <stdlib.h>

static uint64_t state;

static uint8_t next_byte(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint8_t)(state >> 24);
}

/* Random calls that mostly stay connected, and requests that mostly make sense. */
static size_t make(uint8_t *data, size_t most)
{
    static const uint8_t ops[] = {1, 2, 3, 3, 4, 5, 6, 7, 0x10, 0x10, 0x11, 0x12, 0x13, 0x20, 0x33};
    static const uint8_t verbs[] = {3, 3, 3, 3, 4, 5, 5, 5, 6, 7, 7, 7, 7, 9, 2};
    static const uint8_t rare[] = {0, 1, 8};
    size_t size = 0;
    data[size++] = 0;
    data[size++] = next_byte() % 4u == 0 ? next_byte() : 83; /* ATT MTU 249 */
    for (uint8_t c = 1; c <= 5; c++) {
        data[size++] = 2;
        data[size++] = c;
    }
    while (size + 24u < most) {
        uint8_t verb = next_byte() % 128u == 0 ? rare[next_byte() % sizeof rare]
                                               : verbs[next_byte() % sizeof verbs];
        data[size++] = verb;
        if (verb != 3) {
            data[size++] = next_byte();
            continue;
        }
        data[size++] = 17;
        data[size++] = ops[next_byte() % sizeof ops];
        data[size++] = next_byte();
        data[size++] = NT_TLV_TYPE_RANGE;
        data[size++] = 13;
        data[size++] = next_byte() % 8u; /* operator, then boot, first and last index */
        for (size_t i = 0; i < 12u; i++) {
            data[size++] = i == 0 ? 1u : i % 4u == 1u && i > 1u ? next_byte() % 5u : 0u;
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t data[1 << 16];
    long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    state = argc > 1 ? strtoull(argv[1], NULL, 10) | 1u : 1u;
    for (long i = 0; i < rounds; i++) {
        (void)LLVMFuzzerTestOneInput(data, make(data, 2048));
    }
    printf("%ld rounds, %zu values sent\n", rounds, sent);
    return 0;
}
#endif
