/* The workloads over long-polling, and those of clients that come and go. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDSHAKE "/socket.io/?EIO=4&transport=polling"

/* A client that polls: one connection for what comes, one for what it says. */
typedef struct {
    unsigned index;
    char path[256];
    Conn get, post, socket;
    bool joined, probed, posted, pinged, asked; /* probed, of one that only polls: ready */
    uint32_t id;
    uint64_t since;
} Client;

static Client *clients;

static void begin_polling(Client *client, void (*opened)(Conn *, const char *, size_t))
{
    client->joined = client->probed = client->posted = client->pinged = client->asked = false;
    client->get.client = client->post.client = client->socket.client = client;
    client->get.response = client->post.response = NULL;
    conn_open(&client->get, &http, client->index);
    http_get(&client->get, HANDSHAKE, opened);
}

static void read_open(Client *client, const char *body, size_t len)
{
    const char *sid = session_id(body, len);
    if (len < 2 || body[0] != '0' || *sid == 0)
        fatal("not an open packet: %.*s", (int)len, body);
    snprintf(client->path, sizeof client->path, HANDSHAKE "&sid=%s", sid);
}

/* Call for each packet of a payload. */
static void each_packet(Client *client, const char *body, size_t len,
                        void (*packet)(Client *, const char *, size_t))
{
    while (len > 0) {
        const char *end = memchr(body, 0x1e, len);
        size_t size = end ? (size_t)(end - body) : len;
        if (size == 0)
            fatal("an empty packet in a payload");
        packet(client, body, size);
        body += size + (end != NULL);
        len -= size + (end != NULL);
    }
}

static bool is_connect(const char *data, size_t len)
{
    return len > 3 && memcmp(data, "40{", 3) == 0;
}

/* -- polling: an echo by POST, its answer by the GET that waits ----------------------- */

static void check_posted(const char *body, size_t len)
{
    if (len != 2 || (memcmp(body, "ok", 2) != 0 && memcmp(body, "OK", 2) != 0))
        fatal("a POST was answered %.*s", (int)len, body);
}

static void polling_posted(Conn *, const char *, size_t);

static void post_echo(Client *client)
{
    char body[128];
    int len = snprintf(body, sizeof body, "%s42%u[\"echo\",\"", client->pinged ? "3\x1e" : "",
                       ++client->id);
    make_text(body + len, client->index, client->id);
    memcpy(body + len + TEXT, "\"]", 2);
    client->pinged = client->posted = client->asked = false;
    client->since = now_ns();
    waiting++;
    http_post(&client->post, client->path, body, (size_t)len + TEXT + 2, polling_posted);
}

static void polling_packet(Client *client, const char *data, size_t len)
{
    if (len == 1 && data[0] == '2') {
        client->pinged = true; /* the pong goes with the next POST */
    } else if (!client->joined && is_connect(data, len)) {
        client->joined = true;
    } else if (data[0] == '4') {
        Conn who = {.index = client->index};
        if (client->asked || check_echo(&who, data + 1, len - 1) != client->id)
            fatal("client %u: another answer", client->index);
        client->asked = true;
    } else {
        fatal("client %u was sent %.*s", client->index, (int)len, data);
    }
}

/* A round trip ends when both requests are answered. */
static void polling_go_on(Client *client)
{
    if (!client->posted)
        return;
    if (!client->probed) {
        client->probed = client->joined;
        ready += client->joined;
    } else if (client->asked) {
        messages++;
        waiting--;
        record(now_ns() - client->since);
        client->asked = false;
        if (!stopping)
            post_echo(client);
    }
}

static void polling_posted(Conn *c, const char *body, size_t len)
{
    Client *client = c->client;
    check_posted(body, len);
    client->posted = true;
    polling_go_on(client);
}

static void polling_polled(Conn *c, const char *body, size_t len)
{
    Client *client = c->client;
    each_packet(client, body, len, polling_packet);
    http_get(c, client->path, polling_polled);
    polling_go_on(client);
}

static void polling_opened(Conn *c, const char *body, size_t len)
{
    Client *client = c->client;
    read_open(client, body, len);
    conn_open(&client->post, &http, client->index);
    http_post(&client->post, client->path, "40", 2, polling_posted);
    http_get(&client->get, client->path, polling_polled);
}

static void polling_connect(void)
{
    clients = calloc(options.connections, sizeof *clients);
    for (unsigned i = 0; i < options.connections; i++) {
        clients[i].index = i;
        begin_polling(&clients[i], polling_opened);
    }
}

static void polling_begin(void)
{
    for (unsigned i = 0; i < options.connections; i++)
        post_echo(&clients[i]);
}

const App polling_app = {.name = "polling", .connect = polling_connect, .begin = polling_begin};

/* -- connect: WebSockets that come, join and go --------------------------------------- */

static unsigned arrivals;

static void connect_one(void *argument)
{
    Conn *c = argument;
    if (stopping)
        return;
    waiting++;
    ws_connect(c, arrivals++, NULL);
}

static void connect_begin(void)
{
    all = calloc(options.connections, sizeof *all);
    for (unsigned i = 0; i < options.connections; i++)
        connect_one(&all[i]);
}

static void connect_opened(Conn *c)
{
    messages++;
    ws_close(c);
}

static void connect_ended(Conn *c)
{
    waiting--;
    conn_restart(connect_one, c);
}

const App connect_app = {.name = "connect", .begin = connect_begin, .opened = connect_opened,
                         .ended = connect_ended};

/* -- upgrade: long-polling first, then WebSocket, as the official client ---------------- */

static void upgrade_one(void *);
static void upgrade_polled(Conn *, const char *, size_t);

static void upgrade_go_on(Client *client)
{
    /* The official client lets its requests end before it says that it moves. */
    if (!client->probed || !client->posted || client->get.response || client->asked)
        return;
    ws_text(&client->socket, "5", 1);
    send_echo(&client->socket, 1);
    client->asked = true;
}

static void upgrade_posted(Conn *c, const char *body, size_t len)
{
    Client *client = c->client;
    check_posted(body, len);
    client->posted = true;
    upgrade_go_on(client);
}

static void upgrade_packet(Client *client, const char *data, size_t len)
{
    if (!client->joined && is_connect(data, len))
        client->joined = true;
    else if (len != 1 || data[0] != '6')
        fatal("client %u was sent %.*s", client->index, (int)len, data);
}

static void upgrade_polled(Conn *c, const char *body, size_t len)
{
    Client *client = c->client;
    each_packet(client, body, len, upgrade_packet);
    if (client->probed)
        upgrade_go_on(client);
    else
        http_get(c, client->path, upgrade_polled);
}

static void upgrade_opened(Conn *c, const char *body, size_t len)
{
    Client *client = c->client;
    read_open(client, body, len);
    http_get(&client->get, client->path, upgrade_polled);
    conn_open(&client->post, &http, client->index);
    http_post(&client->post, client->path, "40", 2, upgrade_posted);
    ws_connect(&client->socket, client->index, strstr(client->path, "&sid=") + 5);
}

static void upgrade_probed(Conn *c)
{
    Client *client = c->client;
    client->probed = true;
    upgrade_go_on(client);
}

static void upgrade_text(Conn *c, const char *data, size_t len)
{
    Client *client = c->client;
    if (!client->joined && len > 2 && memcmp(data, "0{", 2) == 0) {
        client->joined = true; /* the answer came to the WebSocket */
        return;
    }
    if (!client->asked || !client->joined || check_echo(c, data, len) != 1)
        fatal("client %u: another answer: %.*s", client->index, (int)len, data);
    messages++;
    ws_close(c);
}

static void upgrade_ended(Conn *c)
{
    Client *client = c->client;
    conn_close(&client->get);
    conn_close(&client->post);
    waiting--;
    conn_restart(upgrade_one, client);
}

static void upgrade_one(void *argument)
{
    Client *client = argument;
    if (stopping)
        return;
    waiting++;
    client->index = arrivals++;
    begin_polling(client, upgrade_opened);
}

static void upgrade_begin(void)
{
    clients = calloc(options.connections, sizeof *clients);
    for (unsigned i = 0; i < options.connections; i++)
        upgrade_one(&clients[i]);
}

const App upgrade_app = {.name = "upgrade", .begin = upgrade_begin, .text = upgrade_text,
                         .probed = upgrade_probed, .ended = upgrade_ended};
