/*
 * Runs one workload against one server and prints one line of JSON.
 *
 * connect everything - begin - warm up - measure - stop - wait for what is under way.
 * The server's processor time is read at both ends of the measured stretch, here, so that
 * it covers exactly what is counted.
 */
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE 60.0

Options options = {.connections = 100, .outstanding = 1, .rooms = 100, .size = 1000000,
                   .seconds = 5, .warmup = 1};
const App *app;
uint64_t messages;
unsigned ready, waiting;
bool stopping;

static const App *const apps[] = {&ack_app, &rate_app, &broadcast_app, &rooms_app, &binary_app,
                                  &idle_app, &polling_app, &connect_app, &upgrade_app};

void fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "load: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

void overloaded(void)
{
    /* Not an error of the server: it cannot keep up with the rate that was asked for. */
    printf("{\"workload\": \"%s\", \"overloaded\": true}\n", app->name);
    exit(0);
}

static void read_options(int count, char **words)
{
    for (int i = 1; i + 1 < count; i += 2) {
        const char *name = words[i], *value = words[i + 1];
        if (strcmp(name, "--port") == 0)
            options.port = atoi(value);
        else if (strcmp(name, "--pid") == 0)
            options.pid = atoi(value);
        else if (strcmp(name, "--other-port") == 0)
            options.other_port = atoi(value);
        else if (strcmp(name, "--other-pid") == 0)
            options.other_pid = atoi(value);
        else if (strcmp(name, "--workload") == 0)
            options.workload = value;
        else if (strcmp(name, "--cookies") == 0)
            options.cookies = value;
        else if (strcmp(name, "--connections") == 0)
            options.connections = (unsigned)atoi(value);
        else if (strcmp(name, "--outstanding") == 0)
            options.outstanding = (unsigned)atoi(value);
        else if (strcmp(name, "--rooms") == 0)
            options.rooms = (unsigned)atoi(value);
        else if (strcmp(name, "--size") == 0)
            options.size = (size_t)atol(value);
        else if (strcmp(name, "--seconds") == 0)
            options.seconds = atof(value);
        else if (strcmp(name, "--warmup") == 0)
            options.warmup = atof(value);
        else if (strcmp(name, "--messages") == 0)
            options.messages = (unsigned)atoi(value);
        else if (strcmp(name, "--rate") == 0)
            options.rate = atof(value);
        else
            fatal("no option %s", name);
    }
    if (count % 2 == 0 || !options.port || !options.pid || !options.workload
        || !options.connections || !options.outstanding)
        fatal("give --port, --pid and --workload; the others are in load.h");
    for (size_t i = 0; i < sizeof apps / sizeof *apps; i++)
        if (strcmp(apps[i]->name, options.workload) == 0)
            app = apps[i];
    if (app == NULL)
        fatal("no workload %s", options.workload);
}

static void run_for(double seconds)
{
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    for (uint64_t now = now_ns(); now < end; now = now_ns()) {
        if (app->tick) {
            /* A timer is too coarse for some 10,000 messages a second. */
            app->tick(now);
            net_turn(0);
        } else {
            net_turn((int)((end - now) / 1000000) + 1);
        }
    }
}

static void wait_for(const unsigned *what, unsigned value, const char *name)
{
    uint64_t end = now_ns() + (uint64_t)(PATIENCE * 1e9);
    while (*what != value) {
        if (now_ns() > end)
            fatal("%u %s, and not %u, after %.0f s", *what, name, value, PATIENCE);
        net_turn(20);
    }
}

/* As a test asks for it, which must not depend on how fast the machine is. */
static void run_until(uint64_t enough)
{
    uint64_t end = now_ns() + (uint64_t)(PATIENCE * 1e9);
    while (messages < enough) {
        if (now_ns() > end)
            fatal("%llu messages after %.0f s", (unsigned long long)messages, PATIENCE);
        net_turn(20);
    }
}

/* Let the server load, compile and allocate what it has only one of. */
static long memory_before(void)
{
    unsigned connections = options.connections;
    options.connections = connections < 100 ? connections : 100;
    connect_all_websockets();
    wait_for(&ready, options.connections, "connections");
    for (unsigned i = 0; i < options.connections; i++)
        ws_close(&all[i]);
    wait_for(&ready, 0, "connections");
    options.connections = connections;
    run_for(1);
    return server_rss();
}

int main(int count, char **words)
{
    long before = 0, after = 0;
    read_options(count, words);
    if (options.cookies)
        load_cookies(options.cookies);
    net_start();
    if (app == &idle_app)
        before = memory_before();
    if (app->connect) {
        app->connect();
        wait_for(&ready, options.connections, "clients are ready");
    }
    if (app->begin)
        app->begin();
    run_for(options.warmup);
    after = server_rss();
    forget_records();
    uint64_t messages_before = messages, start = now_ns();
    double cpu = server_cpu(), own = own_cpu();
    if (options.messages)
        run_until(messages + options.messages);
    else
        run_for(options.seconds);
    double seconds = (double)(now_ns() - start) / 1e9;
    cpu = server_cpu() - cpu;
    own = own_cpu() - own;
    uint64_t counted = messages - messages_before;
    stopping = true;
    if (app == &idle_app)
        idle_finish();
    if (app == &rate_app && (double)counted < 0.95 * options.rate * seconds)
        overloaded();
    wait_for(&waiting, 0, "answers are missing");
    if (counted == 0 && app != &idle_app)
        fatal("nothing was counted");
    printf("{\"workload\": \"%s\", \"connections\": %u, \"messages\": %llu, \"seconds\": %.6f, "
           "\"server_cpu\": %.2f, \"own_cpu\": %.4f, \"spins\": %s, \"latencies\": %llu, "
           "\"p50\": %.9f, \"p99\": %.9f, \"rss_before\": %ld, \"rss_after\": %ld}\n",
           app->name, options.connections, (unsigned long long)counted, seconds, cpu, own,
           app->tick ? "true" : "false", (unsigned long long)recorded(),
           (double)percentile(0.5) / 1e9, (double)percentile(0.99) / 1e9, before, after);
    return 0;
}
