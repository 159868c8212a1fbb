/*
 * The load generator: what its files share.
 *
 * One thread, one epoll.  A Conn is one TCP connection; what is said on it is chosen by
 * its Speaker (WebSocket or HTTP), and what the traffic is by the one App of the run.
 * Everything that comes back is checked, and the first thing that is wrong ends the run
 * (`fatal`): a figure is never taken from a run with an error.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Conn Conn;

typedef struct {
    char *data;
    size_t start, len, capacity;
} Buffer;

/* How a connection is spoken to. */
typedef struct {
    void (*connected)(Conn *);                  /* TCP is there */
    size_t (*received)(Conn *, char *, size_t); /* gives how many bytes it took */
    void (*ended)(Conn *);                      /* the server has closed */
} Speaker;

enum stage { TCP, UPGRADING, PROBING, OPENING, JOINING, OPEN, CLOSING, CLOSED };

/* One thing that waits for its answer. */
typedef struct {
    uint32_t id;
    bool waiting;
    uint64_t since;
} Slot;

struct Conn {
    int fd;
    unsigned index;      /* among its kind: chooses the cookie and the source address */
    const Speaker *speaker;
    Buffer in, out;
    bool connecting, blocked, dirty;
    size_t wanted;       /* bytes that the message under way has in all, if known */
    enum stage stage;
    char path[256];      /* of a WebSocket, with its query */
    void (*response)(Conn *, const char *body, size_t len); /* of the HTTP request under way */
    /* for the App */
    void *client;
    Slot *slots;
    uint32_t expected;
    bool closed_by_peer;
};

/* What the traffic is; what a workload does not need is NULL. */
typedef struct {
    const char *name;
    void (*connect)(void);                           /* begin to connect everything */
    void (*opened)(Conn *);                          /* a WebSocket has joined "/" */
    void (*begin)(void);                             /* all are there: begin */
    void (*tick)(uint64_t now);                      /* before each wait, while it runs */
    void (*text)(Conn *, const char *, size_t);      /* a Socket.IO packet */
    void (*binary)(Conn *, const char *, size_t);
    void (*probed)(Conn *);
    void (*ended)(Conn *);                           /* after a Close frame of ours */
} App;

typedef struct {
    int port, pid;
    int other_port, other_pid; /* of a second server, to which all but the first connection go */
    const char *workload, *cookies;
    unsigned connections, outstanding, rooms, messages; /* messages: in place of seconds */
    size_t size;
    double seconds, warmup, rate;
} Options;

extern Options options;
extern const App *app;
extern const App ack_app, rate_app, broadcast_app, rooms_app, binary_app, idle_app, polling_app,
    connect_app, upgrade_app;

/* main.c */
extern uint64_t messages;      /* what the workload counts */
extern unsigned ready;         /* clients that are connected and set up */
extern unsigned waiting;       /* things that are under way and must come to an end */
extern bool stopping;          /* nothing new is begun */
_Noreturn void fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void overloaded(void);

/* clock.c */
uint64_t now_ns(void);
double server_cpu(void);       /* seconds that the servers have used, all threads */
long server_rss(void);         /* kilobytes */
double own_cpu(void);
void record(uint64_t ns);      /* a latency */
void forget_records(void);
uint64_t percentile(double share);
uint64_t recorded(void);
uint32_t chance(void);         /* 32 bits; the same in each run */

/* net.c */
void net_start(void);
int port_of(unsigned index);
void net_turn(int milliseconds);
void conn_open(Conn *, const Speaker *, unsigned index);
void conn_close(Conn *);
void conn_restart(void (*)(void *), void *); /* after this batch of events */
void conn_touch(Conn *);       /* its output is to be sent */
char *buffer_room(Buffer *, size_t);
void buffer_add(Buffer *, const void *, size_t);
const char *cookie_of(unsigned index);
void load_cookies(const char *path);

/* websocket.c */
extern const Speaker websocket;
void ws_connect(Conn *, unsigned index, const char *sid);
void ws_text(Conn *, const char *, size_t);
void ws_close(Conn *);
size_t ws_frame(char *into, int opcode, const char *data, size_t len);
void connect_all_websockets(void);
extern Conn *all;

/* http.c */
extern const Speaker http;
void http_get(Conn *, const char *path, void (*)(Conn *, const char *, size_t));
void http_post(Conn *, const char *path, const char *body, size_t,
               void (*)(Conn *, const char *, size_t));
size_t head_length(Conn *, const char *, size_t);
bool header(const char *head, size_t len, const char *name, char *value, size_t room);
const char *session_id(const char *body, size_t len); /* of an open packet; "" if there is none */

/* messages.c */
void idle_finish(void);

/* payload.c: texts of 64 characters that can be told apart */
#define TEXT 64
void make_text(char *into, uint32_t who, uint32_t number);
bool same_text(const char *seen, size_t len, uint32_t who, uint32_t number);
bool read_text(const char *seen, size_t len, uint32_t *who, uint32_t *number);
void send_echo(Conn *, uint32_t id);
uint32_t check_echo(Conn *, const char *data, size_t len);

#endif
