/* HTTP/1.1 with keep-alive, one request at a time on a connection. */
#define _GNU_SOURCE
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t head_length(Conn *c, const char *data, size_t len)
{
    const char *end = memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL) {
        if (len > 65536)
            fatal("connection %u: a head that does not end", c->index);
        return 0;
    }
    return (size_t)(end - data) + 4;
}

bool header(const char *head, size_t len, const char *name, char *value, size_t room)
{
    size_t name_len = strlen(name);
    const char *line = head, *end = head + len;
    while ((line = memmem(line, (size_t)(end - line), "\r\n", 2)) != NULL) {
        line += 2;
        if ((size_t)(end - line) > name_len && strncasecmp(line, name, name_len) == 0
            && line[name_len] == ':') {
            line += name_len + 1;
            while (*line == ' ')
                line++;
            size_t i = 0;
            for (; line + i < end && line[i] != '\r' && i + 1 < room; i++)
                value[i] = line[i];
            value[i] = 0;
            return true;
        }
    }
    return false;
}

const char *session_id(const char *body, size_t len)
{
    static char sid[128];
    const char *found = memmem(body, len, "\"sid\":", 6);
    sid[0] = 0;
    if (found == NULL)
        return sid;
    found += 6;
    const char *end = body + len;
    while (found < end && *found == ' ')
        found++;
    size_t i = 0;
    for (found++; found + i < end && found[i] != '"' && i + 1 < sizeof sid; i++)
        sid[i] = found[i];
    sid[i] = 0;
    return sid;
}

static void ask(Conn *c, const char *method, const char *path, const char *body, size_t len,
                void (*response)(Conn *, const char *, size_t))
{
    char head[2048];
    char more[128] = "";
    if (c->response != NULL)
        fatal("a request while another is under way");
    if (body != NULL)
        snprintf(more, sizeof more, "Content-Type: text/plain;charset=UTF-8\r\n"
                 "Content-Length: %zu\r\n", len);
    int size = snprintf(head, sizeof head,
                        "%s %s HTTP/1.1\r\n"
                        "Host: 127.0.0.1:%d\r\n"
                        "Connection: keep-alive\r\n"
                        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) bench\r\n"
                        "Accept: */*\r\n"
                        "Cookie: %s\r\n"
                        "%s\r\n",
                        method, path, port_of(c->index), cookie_of(c->index), more);
    buffer_add(&c->out, head, (size_t)size);
    if (len)
        buffer_add(&c->out, body, len);
    c->response = response;
    conn_touch(c);
}

void http_get(Conn *c, const char *path, void (*response)(Conn *, const char *, size_t))
{
    ask(c, "GET", path, NULL, 0, response);
}

void http_post(Conn *c, const char *path, const char *body, size_t len,
               void (*response)(Conn *, const char *, size_t))
{
    ask(c, "POST", path, body, len, response);
}

/* Join the chunks of a body; gives how long it was on the wire, 0 if it is not whole. */
static size_t unchunk(const char *data, size_t len, char **body, size_t *body_len)
{
    size_t at = 0;
    *body = malloc(len + 1);
    *body_len = 0;
    for (;;) {
        const char *line = memmem(data + at, len - at, "\r\n", 2);
        if (line == NULL)
            break;
        size_t size = strtoul(data + at, NULL, 16);
        at = (size_t)(line - data) + 2;
        if (len < at + size + 2)
            break;
        if (size == 0)
            return at + 2;
        memcpy(*body + *body_len, data + at, size);
        *body_len += size;
        at += size + 2;
    }
    free(*body);
    return 0;
}

static size_t http_received(Conn *c, char *data, size_t len)
{
    char value[64];
    char *body;
    size_t size, whole, head = head_length(c, data, len);
    bool chunked;
    c->wanted = 0;
    if (head == 0)
        return 0;
    if (memcmp(data, "HTTP/1.1 200", 12) != 0)
        fatal("connection %u was answered %.*s", c->index, (int)(len > 400 ? 400 : len), data);
    chunked = header(data, head, "transfer-encoding", value, sizeof value);
    if (chunked) {
        whole = unchunk(data + head, len - head, &body, &size);
        if (whole == 0)
            return 0;
        whole += head;
    } else {
        if (!header(data, head, "content-length", value, sizeof value))
            fatal("an answer without a length");
        size = strtoul(value, NULL, 10);
        whole = head + size;
        body = data + head;
        if (len < whole) {
            c->wanted = whole;
            return 0;
        }
    }
    if (c->response == NULL)
        fatal("an answer that nobody asked for");
    if (header(data, head, "connection", value, sizeof value) && strcasecmp(value, "close") == 0)
        fatal("the server does not keep the connection");
    void (*response)(Conn *, const char *, size_t) = c->response;
    c->response = NULL;
    response(c, body, size);
    if (chunked)
        free(body);
    return whole;
}

static void http_connected(Conn *c)
{
    c->stage = OPEN;
}

static void http_ended(Conn *c)
{
    /* A server may give an idle connection up, but not one that waits for an answer. */
    if (c->response != NULL)
        fatal("connection %u ended under a request", c->index);
    conn_close(c);
}

const Speaker http = {http_connected, http_received, http_ended};
