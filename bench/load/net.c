/* Connections, their buffers, and the one loop that serves them. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 256
#define CHUNK (256 * 1024)
/* An address has 28,000 ports, and a closed connection keeps one for a minute. */
#define SOURCES 32

static int poller;
static char chunk[CHUNK];
static Conn **dirty;
static size_t dirty_count, dirty_room;
static struct {
    void (*function)(void *);
    void *argument;
} *restarts;
static size_t restart_count, restart_room;
static char **cookies;
static size_t cookie_count;

void net_start(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    poller = epoll_create1(0);
}

char *buffer_room(Buffer *buffer, size_t more)
{
    if (buffer->start == buffer->len)
        buffer->start = buffer->len = 0;
    if (buffer->len + more > buffer->capacity) {
        if (buffer->start > 0) {
            memmove(buffer->data, buffer->data + buffer->start, buffer->len - buffer->start);
            buffer->len -= buffer->start;
            buffer->start = 0;
        }
        if (buffer->len + more > buffer->capacity) {
            buffer->capacity = (buffer->len + more) * 2;
            buffer->data = realloc(buffer->data, buffer->capacity);
            if (buffer->data == NULL)
                fatal("no memory for a buffer of %zu bytes", buffer->capacity);
        }
    }
    return buffer->data + buffer->len;
}

void buffer_add(Buffer *buffer, const void *data, size_t len)
{
    memcpy(buffer_room(buffer, len), data, len);
    buffer->len += len;
}

void load_cookies(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    if (file == NULL)
        fatal("%s: %s", path, strerror(errno));
    while ((len = getline(&line, &room, file)) > 0) {
        line[strcspn(line, "\r\n")] = 0;
        cookies = realloc(cookies, (cookie_count + 1) * sizeof *cookies);
        cookies[cookie_count++] = strdup(line);
    }
    free(line);
    fclose(file);
}

const char *cookie_of(unsigned index)
{
    return cookie_count ? cookies[index % cookie_count] : "a=b";
}

static void watch(Conn *c, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(poller, operation, c->fd, &event) != 0)
        fatal("epoll_ctl: %s", strerror(errno));
}

/* With a second server the first connection alone is at the first one: whoever broadcasts. */
int port_of(unsigned index)
{
    return index > 0 && options.other_port ? options.other_port : options.port;
}

void conn_open(Conn *c, const Speaker *speaker, unsigned index)
{
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET};
    c->index = index;
    c->speaker = speaker;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        fatal("no socket: %s (%u connections)", strerror(errno), index);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + index % SOURCES);
    if (bind(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fatal("bind: %s", strerror(errno));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)port_of(c->index));
    c->in.start = c->in.len = c->out.start = c->out.len = 0;
    c->stage = TCP;
    c->wanted = 0;
    c->connecting = true;
    c->blocked = c->closed_by_peer = false;
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
        fatal("connect: %s", strerror(errno));
    watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

void conn_close(Conn *c)
{
    if (c->fd >= 0)
        close(c->fd); /* epoll forgets it by itself */
    c->fd = -1;
    c->stage = CLOSED;
}

void conn_restart(void (*function)(void *), void *argument)
{
    if (restart_count == restart_room) {
        restart_room = restart_room * 2 + 64;
        restarts = realloc(restarts, restart_room * sizeof *restarts);
    }
    restarts[restart_count].function = function;
    restarts[restart_count++].argument = argument;
}

void conn_touch(Conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    if (dirty_count == dirty_room) {
        dirty_room = dirty_room * 2 + 1024;
        dirty = realloc(dirty, dirty_room * sizeof *dirty);
    }
    dirty[dirty_count++] = c;
}

static void flush(Conn *c)
{
    while (c->fd >= 0 && !c->connecting && c->out.start < c->out.len) {
        ssize_t sent = send(c->fd, c->out.data + c->out.start, c->out.len - c->out.start,
                            MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            if (!c->blocked)
                watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            c->blocked = true;
            return;
        }
        if (sent < 0)
            fatal("connection %u cannot be written to: %s", c->index, strerror(errno));
        c->out.start += (size_t)sent;
    }
    if (c->blocked && c->fd >= 0) {
        c->blocked = false;
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
    }
}

static void readable(Conn *c)
{
    Buffer *in = &c->in;
    bool direct = in->len > in->start;
    char *into = chunk;
    size_t room = CHUNK;
    if (direct) {
        /* A long message goes to where it will be whole. */
        size_t have = in->len - in->start;
        size_t more = c->wanted > have ? c->wanted - have : CHUNK;
        into = buffer_room(in, more);
        room = more;
    }
    ssize_t got = recv(c->fd, into, room, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got < 0)
        fatal("connection %u (%s): %s", c->index, c->path, strerror(errno));
    if (got == 0) {
        c->speaker->ended(c);
        return;
    }
    if (direct) {
        in->len += (size_t)got;
        in->start += c->speaker->received(c, in->data + in->start, in->len - in->start);
        if (in->start == in->len)
            in->start = in->len = 0;
    } else {
        size_t taken = c->speaker->received(c, chunk, (size_t)got);
        if (c->fd >= 0 && taken < (size_t)got) {
            size_t left = (size_t)got - taken;
            buffer_room(in, c->wanted > left ? c->wanted : left);
            buffer_add(in, chunk + taken, left);
        }
    }
    if (in->len == 0 && in->capacity > 4096 && c->wanted == 0 && options.connections > 5000) {
        free(in->data);
        in->data = NULL;
        in->capacity = 0;
    }
}

static void writable(Conn *c)
{
    if (c->connecting) {
        int error = 0;
        socklen_t len = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error)
            fatal("connection %u cannot connect: %s", c->index, strerror(error));
        c->connecting = false;
        c->blocked = true; /* so that `flush` stops to wait for it */
        c->speaker->connected(c);
    }
    flush(c);
}

void net_turn(int milliseconds)
{
    static struct epoll_event events[BATCH];
    /* What was begun outside a turn. */
    for (size_t i = 0; i < dirty_count; i++) {
        dirty[i]->dirty = false;
        flush(dirty[i]);
    }
    dirty_count = 0;
    int count = epoll_wait(poller, events, BATCH, milliseconds);
    if (count < 0 && errno != EINTR)
        fatal("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        Conn *c = events[i].data.ptr;
        if (c->fd >= 0 && (events[i].events & EPOLLOUT))
            writable(c);
        if (c->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
            readable(c);
        /* The server goes on with this client while we read the next. */
        if (c->fd >= 0 && !c->blocked)
            flush(c);
    }
    for (size_t i = 0; i < dirty_count; i++) {
        dirty[i]->dirty = false;
        flush(dirty[i]);
    }
    dirty_count = 0;
    /* Not before: an event of this batch may be of a connection that was. */
    size_t begun = restart_count;
    for (size_t i = 0; i < begun; i++)
        restarts[i].function(restarts[i].argument);
    restart_count -= begun;
    memmove(restarts, restarts + begun, restart_count * sizeof *restarts);
}
