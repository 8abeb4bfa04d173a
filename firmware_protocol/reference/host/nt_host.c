/*
 * The library as a process: one command per line on standard input, what the sensor sends and the
 * result on standard output. Tests drive it beside the Python twin; an emulated peripheral can use
 * it in place of a radio.
 *
 *   nt_host PAGES FEATURES BOOT RATE BACKFILL_RATE DEVICE_ID NAME
 *
 *   connect MTU INTERVAL | disconnect | boot COUNTER | sub CHAR ON NOW | read CHAR
 *   write CHAR NOW HEX (a dash for nothing) | push FLAGS N TIME.. HEX | event CODE DETAIL VALUE NOW
 *   button NOW | due NOW | set FIELD VALUE | room N (sends that succeed from now on; -1 all)
 *   state
 *
 * Answers: "> CHAR HEX" for every value sent, then "= ATT [HEX]"; to state "s RATE RECORDING STREAMING
 * NEXT_INDEX BOOT" before it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../nt_sensor.h"

#define LINE_MAX_SIZE (1u << 20)
#define PUSH_MAX 4096u

static long room = -1;

static bool print_value(void *context, uint16_t characteristic, const uint8_t *data, size_t size)
{
    (void)context;
    if (room == 0) {
        return false;
    }
    room -= room > 0;
    printf("> %u ", characteristic);
    for (size_t i = 0; i < size; i++) {
        printf("%02x", data[i]);
    }
    printf("\n");
    return true;
}

static const char *word(char **rest)
{
    const char *found = strtok_r(NULL, " \n", rest);
    return found != NULL ? found : "";
}

static uint64_t number(char **rest)
{
    return strtoull(word(rest), NULL, 10);
}

static size_t bytes(const char *hex, uint8_t *out, size_t most)
{
    size_t n = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2u;
    for (size_t i = 0; i < n && i < most; i++) {
        const char two[3] = {hex[2u * i], hex[2u * i + 1u], 0};
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return n < most ? n : most;
}

static void push(struct nt_sensor *sensor, char **rest)
{
    static uint64_t times[PUSH_MAX];
    static int16_t counts[PUSH_MAX * NT_COLUMNS];
    uint8_t flags = (uint8_t)number(rest);
    size_t n = number(rest);
    n = n < PUSH_MAX ? n : PUSH_MAX;
    for (size_t i = 0; i < n; i++) {
        times[i] = number(rest);
    }
    (void)bytes(word(rest), (uint8_t *)counts, sizeof counts);
    nt_push(sensor, counts, times, n, flags);
}

static void set(struct nt_sensor *sensor, char **rest)
{
    const char *name = word(rest);
    uint64_t value = number(rest);
    if (strcmp(name, "recording") == 0) {
        sensor->recording = value != 0;
    } else if (strcmp(name, "fault") == 0) {
        sensor->fault = value != 0;
    } else if (strcmp(name, "flags") == 0) {
        sensor->flags = (uint8_t)value;
    } else if (strcmp(name, "battery_mv") == 0) {
        sensor->battery_mv = (uint16_t)value;
    } else if (strcmp(name, "temperature") == 0) {
        sensor->temperature_half_degc = (int8_t)value;
    }
}

/* Returns the ATT status; a value that was read is printed behind it. */
static void obey(struct nt_sensor *sensor, char *line)
{
    static uint8_t data[65536];
    char *rest = NULL;
    const char *verb = strtok_r(line, " \n", &rest);
    enum nt_att status = NT_ATT_OK;
    size_t size = 0;
    if (verb == NULL) {
        verb = "";
    }
    if (strcmp(verb, "connect") == 0) {
        uint16_t mtu = (uint16_t)number(&rest);
        nt_connect(sensor, mtu, (uint16_t)number(&rest));
    } else if (strcmp(verb, "disconnect") == 0) {
        nt_disconnect(sensor);
    } else if (strcmp(verb, "boot") == 0) {
        nt_boot(sensor, (uint32_t)number(&rest));
    } else if (strcmp(verb, "sub") == 0) {
        uint16_t characteristic = (uint16_t)number(&rest);
        bool on = number(&rest) != 0;
        status = nt_subscribe(sensor, characteristic, on, number(&rest));
    } else if (strcmp(verb, "read") == 0) {
        status = nt_read(sensor, (uint16_t)number(&rest), data, sizeof data, &size);
    } else if (strcmp(verb, "write") == 0) {
        uint16_t characteristic = (uint16_t)number(&rest);
        uint64_t now_us = number(&rest);
        size_t written = bytes(word(&rest), data, sizeof data);
        status = nt_write(sensor, characteristic, data, written, now_us);
    } else if (strcmp(verb, "push") == 0) {
        push(sensor, &rest);
    } else if (strcmp(verb, "event") == 0) {
        uint8_t code = (uint8_t)number(&rest);
        uint8_t detail = (uint8_t)number(&rest);
        int16_t value = (int16_t)strtol(word(&rest), NULL, 10);
        nt_event(sensor, code, detail, value, number(&rest));
    } else if (strcmp(verb, "button") == 0) {
        nt_button(sensor, number(&rest));
    } else if (strcmp(verb, "due") == 0) {
        nt_due(sensor, number(&rest));
    } else if (strcmp(verb, "set") == 0) {
        set(sensor, &rest);
    } else if (strcmp(verb, "state") == 0) {
        printf("s %u %u %u %" PRIu32 " %" PRIu32 "\n", sensor->settings.rate, sensor->recording,
               sensor->live.on, sensor->next_index, sensor->boot_counter);
    } else if (strcmp(verb, "room") == 0) {
        room = strtol(word(&rest), NULL, 10);
    } else {
        printf("? %s\n", verb);
        return;
    }
    printf("= %u ", (unsigned)status);
    for (size_t i = 0; i < size; i++) {
        printf("%02x", data[i]);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    static const uint8_t rates[] = {NT_RATE_CODE_HZ_25,  NT_RATE_CODE_HZ_50,
                                    NT_RATE_CODE_HZ_52,  NT_RATE_CODE_HZ_100,
                                    NT_RATE_CODE_HZ_104, NT_RATE_CODE_HZ_200};
    static const uint16_t acc_ranges_g[] = {2, 4, 8, 16};
    static const uint16_t gyr_ranges_dps[] = {250, 500, 1000, 2000};
    static struct nt_sensor sensor;
    struct nt_model model = {.rates = rates,
                             .rate_count = sizeof rates,
                             .acc_ranges_g = acc_ranges_g,
                             .acc_range_count = 4,
                             .gyr_ranges_dps = gyr_ranges_dps,
                             .gyr_range_count = 4,
                             .mag_range_ut = 4912,
                             .max_payload = NT_VALUE_MAX};
    if (argc != 8) {
        fprintf(stderr, "usage: nt_host PAGES FEATURES BOOT RATE BACKFILL_RATE DEVICE_ID NAME\n");
        return 2;
    }
    uint16_t page_count = (uint16_t)strtoul(argv[1], NULL, 10);
    model.features = (uint32_t)strtoul(argv[2], NULL, 10);
    model.backfill_frames_per_s = (uint32_t)strtoul(argv[5], NULL, 10);
    (void)bytes(argv[6], model.device_id, sizeof model.device_id);
    model.name = argv[7];
    struct nt_page *pages = calloc(page_count, sizeof *pages);
    uint16_t *order = calloc(page_count, sizeof *order);
    char *line = malloc(LINE_MAX_SIZE);
    if (pages == NULL || order == NULL || line == NULL || page_count < 2) {
        fprintf(stderr, "nt_host: at least 2 pages, and memory for them\n");
        return 2;
    }
    nt_init(&sensor, &model, pages, order, page_count, print_value, NULL);
    nt_boot(&sensor, (uint32_t)strtoul(argv[3], NULL, 10));
    sensor.settings.rate = (uint8_t)strtoul(argv[4], NULL, 10);
    sensor.battery_mv = 3900;
    sensor.temperature_half_degc = 60;
    while (fgets(line, LINE_MAX_SIZE, stdin) != NULL) {
        obey(&sensor, line);
        fflush(stdout);
    }
    free(line);
    free(order);
    free(pages);
    return 0;
}
