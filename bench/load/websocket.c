/* Engine.IO 4 and the start of Socket.IO 5 over WebSocket (RFC 6455), as a client. */
#define _GNU_SOURCE
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The RFC's own example, whose answer is known without SHA-1. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum { CONTINUATION = 0, TEXT_FRAME = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

Conn *all;
static unsigned begun;

static void ws_connected(Conn *c)
{
    char head[2048];
    int len = snprintf(head, sizeof head,
                       "GET %s HTTP/1.1\r\n"
                       "Host: 127.0.0.1:%d\r\n"
                       "Connection: Upgrade\r\n"
                       "Upgrade: websocket\r\n"
                       "Origin: http://127.0.0.1:%d\r\n"
                       "User-Agent: Mozilla/5.0 (X11; Linux x86_64) bench\r\n"
                       "Sec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: " KEY "\r\n"
                       "Cookie: %s\r\n"
                       "\r\n",
                       c->path, port_of(c->index), port_of(c->index), cookie_of(c->index));
    buffer_add(&c->out, head, (size_t)len);
    c->stage = UPGRADING;
}

void ws_connect(Conn *c, unsigned index, const char *sid)
{
    snprintf(c->path, sizeof c->path, "/socket.io/?EIO=4&transport=websocket%s%s",
             sid ? "&sid=" : "", sid ? sid : "");
    conn_open(c, &websocket, index);
}

size_t ws_frame(char *into, int opcode, const char *data, size_t len)
{
    uint32_t mask = chance();
    size_t at = 2;
    into[0] = (char)(0x80 | opcode);
    if (len < 126) {
        into[1] = (char)(0x80 | len);
    } else if (len < 65536) {
        into[1] = (char)(0x80 | 126);
        into[2] = (char)(len >> 8);
        into[3] = (char)len;
        at = 4;
    } else {
        into[1] = (char)(0x80 | 127);
        for (int i = 0; i < 8; i++)
            into[2 + i] = (char)((uint64_t)len >> (56 - 8 * i));
        at = 10;
    }
    memcpy(into + at, &mask, 4);
    at += 4;
    size_t i = 0;
    uint64_t wide = (uint64_t)mask << 32 | mask;
    for (; i + 8 <= len; i += 8) {
        uint64_t piece;
        memcpy(&piece, data + i, 8);
        piece ^= wide;
        memcpy(into + at + i, &piece, 8);
    }
    for (; i < len; i++)
        into[at + i] = (char)(data[i] ^ (char)(mask >> (8 * (i % 4))));
    return at + len;
}

static void add_frame(Conn *c, int opcode, const char *data, size_t len)
{
    c->out.len += ws_frame(buffer_room(&c->out, len + 14), opcode, data, len);
    conn_touch(c);
}

void ws_text(Conn *c, const char *data, size_t len)
{
    add_frame(c, TEXT_FRAME, data, len);
}

void ws_close(Conn *c)
{
    c->stage = CLOSING;
    add_frame(c, CLOSE, "\x03\xe8", 2);
}

static void read_packet(Conn *c, const char *data, size_t len)
{
    if (len == 1 && data[0] == '2') {
        ws_text(c, "3", 1);
    } else if (c->stage == CLOSING) {
        /* What was under way when we closed. */
    } else if (c->stage == PROBING && len == 6 && memcmp(data, "3probe", 6) == 0) {
        app->probed(c);
    } else if (c->stage == OPENING && data[0] == '0') {
        if (*session_id(data, len) == 0)
            fatal("an open packet without a sid: %.*s", (int)len, data);
        c->stage = JOINING;
        ws_text(c, "40", 2);
    } else if (c->stage == JOINING && len > 3 && memcmp(data, "40{", 3) == 0) {
        c->stage = OPEN;
        app->opened(c);
    } else if (data[0] == '4' && (c->stage == OPEN || c->stage == PROBING)) {
        app->text(c, data + 1, len - 1);
    } else if (!(len == 1 && data[0] == '6')) {
        fatal("connection %u was sent %.*s", c->index, (int)(len > 100 ? 100 : len), data);
    }
}

static size_t read_head(Conn *c, const char *data, size_t len)
{
    char value[64];
    size_t head = head_length(c, data, len);
    if (head == 0)
        return 0;
    if (memcmp(data, "HTTP/1.1 101", 12) != 0)
        fatal("no WebSocket: %.*s", (int)(len > 300 ? 300 : len), data);
    if (!header(data, head, "sec-websocket-accept", value, sizeof value)
        || strcmp(value, ACCEPT) != 0)
        fatal("a wrong Sec-WebSocket-Accept");
    if (strstr(c->path, "&sid=")) {
        c->stage = PROBING;
        ws_text(c, "2probe", 6);
    } else {
        c->stage = OPENING;
    }
    return head;
}

static size_t ws_received(Conn *c, char *data, size_t len)
{
    size_t at = 0;
    c->wanted = 0;
    if (c->stage == UPGRADING) {
        at = read_head(c, data, len);
        if (at == 0)
            return 0;
    }
    while (len - at >= 2 && c->fd >= 0) {
        const unsigned char *frame = (unsigned char *)data + at;
        uint64_t size = frame[1] & 0x7f;
        size_t head = 2;
        if (frame[1] & 0x80)
            fatal("the server masked a frame");
        if (!(frame[0] & 0x80) || (frame[0] & 0x70))
            fatal("a fragment or a reserved bit, which this client does not read");
        if (size == 126) {
            head = 4;
            if (len - at < head)
                break;
            size = (uint64_t)frame[2] << 8 | frame[3];
        } else if (size == 127) {
            head = 10;
            if (len - at < head)
                break;
            size = 0;
            for (int i = 2; i < 10; i++)
                size = size << 8 | frame[i];
        }
        if (len - at < head + size) {
            c->wanted = head + size;
            break;
        }
        const char *payload = data + at + head;
        at += head + size;
        switch (frame[0] & 0x0f) {
        case TEXT_FRAME:
            if (size == 0)
                fatal("an empty text frame");
            read_packet(c, payload, size);
            break;
        case BINARY:
            if (app->binary == NULL || c->stage != OPEN)
                fatal("a binary frame that nobody asked for");
            app->binary(c, payload, size);
            break;
        case PING:
            add_frame(c, PONG, payload, size);
            break;
        case CLOSE:
            if (c->stage != CLOSING)
                fatal("connection %u was closed: code %d", c->index,
                      size < 2 ? 0 : (unsigned char)payload[0] << 8 | (unsigned char)payload[1]);
            c->closed_by_peer = true;
            break;
        case PONG:
            break;
        default:
            fatal("opcode %d", frame[0] & 0x0f);
        }
    }
    return at;
}

static void ws_ended(Conn *c)
{
    if (c->stage != CLOSING)
        fatal("connection %u was dropped (stage %d)", c->index, c->stage);
    if (!c->closed_by_peer)
        fatal("connection %u was dropped without a Close frame", c->index);
    conn_close(c);
    app->ended(c);
}

const Speaker websocket = {ws_connected, ws_received, ws_ended};

/* -- many of them ------------------------------------------------------------ */

static void connect_next(void *unused)
{
    (void)unused;
    /* No more at a time than a listen queue holds. */
    while (begun < options.connections && begun - ready < 100) {
        ws_connect(&all[begun], begun, NULL);
        begun++;
    }
    if (begun < options.connections)
        conn_restart(connect_next, NULL);
}

void connect_all_websockets(void)
{
    all = calloc(options.connections, sizeof *all);
    begun = 0;
    connect_next(NULL);
}
