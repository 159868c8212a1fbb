/* Time, the processors' time, memory, latencies, and chance. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Latencies in nanoseconds: 64 steps to each power of two, so within 1.6 %. */
#define STEPS 64
static uint64_t histogram[64 * STEPS];
static uint64_t count;
static uint64_t random_state = 0x9e3779b97f4a7c15u;

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void read_proc(int pid, const char *name, char *into, size_t room)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fatal("the server is gone: no %s", path);
    size_t got = fread(into, 1, room - 1, file);
    into[got] = 0;
    fclose(file);
}

static double cpu_of(int pid)
{
    char text[4096];
    unsigned long user, system;
    read_proc(pid, "stat", text, sizeof text);
    /* Field 2 is the program's name in brackets and may hold anything. */
    char *rest = strrchr(text, ')');
    if (rest == NULL
        || sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                  &system) != 2)
        fatal("/proc/%d/stat cannot be read", pid);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

double server_cpu(void)
{
    return cpu_of(options.pid) + (options.other_pid ? cpu_of(options.other_pid) : 0);
}

long server_rss(void)
{
    char text[8192];
    read_proc(options.pid, "status", text, sizeof text);
    char *line = strstr(text, "VmRSS:");
    if (line == NULL)
        fatal("/proc/%d/status has no VmRSS", options.pid);
    return strtol(line + 6, NULL, 10);
}

double own_cpu(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)used.ru_utime.tv_sec + (double)used.ru_stime.tv_sec
        + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

void record(uint64_t ns)
{
    int power = ns < STEPS ? 0 : 63 - __builtin_clzll(ns) - 6;
    histogram[power * STEPS + (int)(ns >> power)]++;
    count++;
}

void forget_records(void)
{
    memset(histogram, 0, sizeof histogram);
    count = 0;
}

uint64_t recorded(void)
{
    return count;
}

uint64_t percentile(double share)
{
    uint64_t left = (uint64_t)((double)count * share);
    for (int i = 0; i < 64 * STEPS; i++) {
        if (histogram[i] > left) {
            /* Each power of two begins where the one before it ended; see `record`. */
            int power = i < STEPS ? 0 : i / STEPS - 1;
            return i < STEPS ? (uint64_t)i : (uint64_t)(i % STEPS + STEPS) << power;
        }
        left -= histogram[i];
    }
    return 0;
}

uint32_t chance(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16);
}
