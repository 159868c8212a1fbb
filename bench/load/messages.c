/* The workloads over WebSockets that stay open. */
#include "load.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most messages of one connection that may wait at a fixed rate. */
#define RING 1024

static void count_ready(Conn *c)
{
    (void)c;
    ready++;
}

/* -- ack: each connection has some echoes under way, always as many ---------------- */

static void ack_opened(Conn *c)
{
    c->slots = calloc(options.outstanding, sizeof *c->slots);
    for (unsigned i = 0; i < options.outstanding; i++)
        c->slots[i].id = i;
    ready++;
}

static void ack_send(Conn *c, Slot *slot)
{
    slot->id += options.outstanding;
    slot->waiting = true;
    slot->since = now_ns();
    waiting++;
    send_echo(c, slot->id);
}

static void ack_begin(void)
{
    for (unsigned i = 0; i < options.connections; i++)
        for (unsigned k = 0; k < options.outstanding; k++)
            ack_send(&all[i], &all[i].slots[k]);
}

static void ack_text(Conn *c, const char *data, size_t len)
{
    uint32_t id = check_echo(c, data, len);
    Slot *slot = &c->slots[id % options.outstanding];
    if (!slot->waiting || slot->id != id)
        fatal("connection %u: %u was acknowledged twice, or not asked for", c->index, id);
    slot->waiting = false;
    waiting--;
    messages++;
    record(now_ns() - slot->since);
    if (!stopping)
        ack_send(c, slot);
}

const App ack_app = {.name = "ack", .connect = connect_all_websockets, .opened = ack_opened,
                     .begin = ack_begin, .text = ack_text};

/* -- rate: echoes at a fixed rate, whatever the server does ------------------------- */

static double due;

static void rate_opened(Conn *c)
{
    c->slots = calloc(RING, sizeof *c->slots);
    ready++;
}

static void rate_begin(void)
{
    if (options.rate <= 0)
        fatal("give --rate");
    due = (double)now_ns();
}

static void rate_tick(uint64_t now)
{
    static unsigned next;
    while (due <= (double)now && !stopping) {
        Conn *c = &all[next++ % options.connections];
        Slot *slot = &c->slots[++c->expected % RING];
        if (slot->waiting)
            overloaded();
        *slot = (Slot){c->expected, true, (uint64_t)due};
        waiting++;
        send_echo(c, c->expected);
        /* As of many who do not know of each other. */
        due += -log(((double)chance() + 1) / 4294967297.0) * 1e9 / options.rate;
    }
}

static void rate_text(Conn *c, const char *data, size_t len)
{
    uint32_t id = check_echo(c, data, len);
    Slot *slot = &c->slots[id % RING];
    if (!slot->waiting || slot->id != id)
        fatal("connection %u: %u was acknowledged twice, or not asked for", c->index, id);
    slot->waiting = false;
    waiting--;
    messages++;
    record(now_ns() - slot->since); /* since it was due, not since we came to send it */
}

const App rate_app = {.name = "rate", .connect = connect_all_websockets, .opened = rate_opened,
                      .begin = rate_begin, .tick = rate_tick, .text = rate_text};

/* -- groups: broadcast to everyone, or in rooms ------------------------------------- */

/* Those who get the same: everyone, or a room. */
typedef struct {
    unsigned size, index;
    uint32_t sent;
    unsigned *got;   /* of each broadcast under way */
    uint64_t *since;
} Group;

static Group *groups;
static unsigned group_count;

static void make_groups(unsigned count)
{
    group_count = count;
    groups = calloc(count, sizeof *groups);
    for (unsigned i = 0; i < count; i++) {
        groups[i].index = i;
        groups[i].size = (options.connections - i + count - 1) / count;
        groups[i].got = calloc(options.outstanding, sizeof *groups[i].got);
        groups[i].since = calloc(options.outstanding, sizeof *groups[i].since);
    }
}

static void group_send(Group *group)
{
    char packet[160];
    uint32_t number = group->sent++;
    int len;
    Conn *c;
    if (app == &rooms_app) {
        /* Each member in turn. */
        c = &all[group->index + group_count * (number % group->size)];
        len = snprintf(packet, sizeof packet, "42[\"room\",\"r%u\",\"", group->index);
    } else {
        c = &all[0];
        len = snprintf(packet, sizeof packet, "42[\"all\",\"");
    }
    make_text(packet + len, group->index, number);
    memcpy(packet + len + TEXT, "\"]", 2);
    group->since[number % options.outstanding] = now_ns();
    waiting++;
    ws_text(c, packet, (size_t)len + TEXT + 2);
}

static void groups_begin(void)
{
    for (unsigned i = 0; i < group_count; i++)
        for (unsigned k = 0; k < options.outstanding; k++)
            group_send(&groups[i]);
}

static void group_text(Conn *c, const char *data, size_t len, const char *head, size_t head_len)
{
    Group *group = &groups[c->index % group_count];
    if (len != head_len + TEXT + 2 || memcmp(data, head, head_len) != 0
        || !same_text(data + head_len, TEXT, group->index, c->expected)
        || memcmp(data + len - 2, "\"]", 2) != 0)
        fatal("connection %u: not broadcast %u of group %u: %.*s", c->index, c->expected,
              group->index, (int)(len > 120 ? 120 : len), data);
    unsigned at = c->expected++ % options.outstanding;
    messages++;
    if (++group->got[at] == group->size) {
        group->got[at] = 0;
        waiting--;
        record(now_ns() - group->since[at]);
        if (!stopping)
            group_send(group);
    }
}

static void broadcast_connect(void)
{
    make_groups(1);
    connect_all_websockets();
}

static void broadcast_text(Conn *c, const char *data, size_t len)
{
    group_text(c, data, len, "2[\"all\",\"", 9);
}

const App broadcast_app = {.name = "broadcast", .connect = broadcast_connect,
                           .opened = count_ready, .begin = groups_begin,
                           .text = broadcast_text};

static void rooms_connect(void)
{
    make_groups(options.rooms);
    connect_all_websockets();
}

static void rooms_opened(Conn *c)
{
    char packet[64];
    int len = snprintf(packet, sizeof packet, "421[\"join\",\"r%u\"]", c->index % group_count);
    c->client = c; /* until it has joined */
    ws_text(c, packet, (size_t)len);
}

static void rooms_text(Conn *c, const char *data, size_t len)
{
    if (c->client == NULL) {
        group_text(c, data, len, "2[\"room\",\"", 10);
        return;
    }
    if (len < 3 || memcmp(data, "31[", 3) != 0)
        fatal("connection %u did not join: %.*s", c->index, (int)len, data);
    c->client = NULL;
    ready++;
}

const App rooms_app = {.name = "rooms", .connect = rooms_connect, .opened = rooms_opened,
                       .begin = groups_begin, .text = rooms_text};

/* -- binary: an attachment there and back ------------------------------------------- */

static char *blob, *blob_frame;
static size_t blob_frame_len;

static void binary_connect(void)
{
    blob = malloc(options.size);
    blob_frame = malloc(options.size + 14);
    for (size_t i = 0; i < options.size; i++)
        blob[i] = (char)chance();
    blob_frame_len = ws_frame(blob_frame, 2, blob, options.size);
    connect_all_websockets();
}

static void binary_send(Conn *c)
{
    char packet[128];
    int len = snprintf(packet, sizeof packet,
                       "451-%u[\"bin\",{\"_placeholder\":true,\"num\":0}]", ++c->expected);
    c->client = NULL;
    waiting++;
    ws_text(c, packet, (size_t)len);
    buffer_add(&c->out, blob_frame, blob_frame_len);
}

static void binary_begin(void)
{
    for (unsigned i = 0; i < options.connections; i++)
        binary_send(&all[i]);
}

static void binary_text(Conn *c, const char *data, size_t len)
{
    char head[64];
    int head_len = snprintf(head, sizeof head, "61-%u[{", c->expected);
    if (len < (size_t)head_len || memcmp(data, head, (size_t)head_len) != 0 || c->client)
        fatal("connection %u: not the answer to %u: %.*s", c->index, c->expected,
              (int)(len > 100 ? 100 : len), data);
    c->client = c; /* the attachment is next */
}

static void binary_binary(Conn *c, const char *data, size_t len)
{
    if (c->client == NULL || len != options.size || memcmp(data, blob, len) != 0)
        fatal("connection %u: an attachment that differs from what was sent", c->index);
    messages++;
    waiting--;
    if (!stopping)
        binary_send(c);
}

const App binary_app = {.name = "binary", .connect = binary_connect, .opened = count_ready,
                        .begin = binary_begin, .text = binary_text, .binary = binary_binary};

/* -- idle: many who say nothing ------------------------------------------------------ */

void idle_finish(void)
{
    for (unsigned i = 0; i < options.connections; i++) {
        waiting++;
        send_echo(&all[i], 1);
    }
}

static void idle_text(Conn *c, const char *data, size_t len)
{
    if (check_echo(c, data, len) != 1)
        fatal("connection %u: another answer", c->index);
    waiting--;
}

static void idle_ended(Conn *c)
{
    (void)c;
    ready--;
}

const App idle_app = {.name = "idle", .connect = connect_all_websockets, .opened = count_ready,
                      .text = idle_text, .ended = idle_ended};
