/* The texts that are sent: 64 characters, which say whose they are and which one. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char filler[] = "the quick brown fox jumps over the lazy dog 1234";
static const char digits[] = "0123456789abcdef";

static void hex(char *into, uint32_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 4)
        into[i] = digits[value & 15];
}

void make_text(char *into, uint32_t who, uint32_t number)
{
    hex(into, who);
    hex(into + 8, number);
    memcpy(into + 16, filler, 48);
}

bool read_text(const char *seen, size_t len, uint32_t *who, uint32_t *number)
{
    uint32_t values[2] = {0, 0};
    if (len != TEXT || memcmp(seen + 16, filler, 48) != 0)
        return false;
    for (int i = 0; i < 16; i++) {
        char c = seen[i];
        uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : (uint32_t)(c - 'a' + 10);
        if (digit > 15)
            return false;
        values[i / 8] = values[i / 8] << 4 | digit;
    }
    *who = values[0];
    *number = values[1];
    return true;
}

bool same_text(const char *seen, size_t len, uint32_t who, uint32_t number)
{
    uint32_t seen_who, seen_number;
    return read_text(seen, len, &seen_who, &seen_number) && seen_who == who
        && seen_number == number;
}

/* 42<id>["echo","<text>"], which asks for the acknowledgement 43<id>["<text>"]. */
void send_echo(Conn *c, uint32_t id)
{
    char packet[128];
    int len = snprintf(packet, sizeof packet, "42%u[\"echo\",\"", id);
    make_text(packet + len, c->index, id);
    memcpy(packet + len + TEXT, "\"]", 2);
    ws_text(c, packet, (size_t)len + TEXT + 2);
}

uint32_t check_echo(Conn *c, const char *data, size_t len)
{
    char *end;
    uint32_t id = data[0] == '3' ? (uint32_t)strtoul(data + 1, &end, 10) : 0;
    if (data[0] != '3' || end == data + 1 || len != (size_t)(end - data) + TEXT + 4
        || memcmp(end, "[\"", 2) != 0 || memcmp(end + 2 + TEXT, "\"]", 2) != 0
        || !same_text(end + 2, TEXT, c->index, id))
        fatal("connection %u: not the answer to an echo: %.*s", c->index,
              (int)(len > 120 ? 120 : len), data);
    return id;
}
