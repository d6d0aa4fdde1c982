/* Sockets, bytes and moments: what the fake upstream and the load generator share.
 *
 * Loopback only, one thread, epoll. Whatever cannot happen ends the process with a reason.
 */
#ifndef SERVE_NET_H
#define SERVE_NET_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256

static inline void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static inline int64_t now_us(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

/* A moment in four characters, as a token of an answer carries it: tens of microseconds, modulo
 * 64^4 of them (168 s), so that events of one stream differ in their text alone, as a model's do. */
static const char STAMP[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static inline void put_stamp(char *into, int64_t at_us) {
    int64_t left = (at_us / 10) & 0xFFFFFF;
    for (int i = 3; i >= 0; i--, left >>= 6) into[i] = STAMP[left & 63];
    into[4] = 0;
}

/* The moment that a stamp stands for, the last one before `now`; -1: it is none. */
static inline int64_t stamped_us(const char *from, int64_t now) {
    int64_t at = 0;
    for (int i = 0; i < 4; i++) {
        const char *place = from[i] ? strchr(STAMP, from[i]) : NULL;
        if (!place) return -1;
        at = at << 6 | (place - STAMP);
    }
    return (now / 10 - ((now / 10 - at) & 0xFFFFFF)) * 10;
}

/* Bytes that grow: `from` is where what is not used yet begins. */
struct bytes {
    char *at;
    size_t from, to, room;
};

static inline size_t held(const struct bytes *b) { return b->to - b->from; }

static inline char *begin(const struct bytes *b) { return b->at + b->from; }

static inline void room_for(struct bytes *b, size_t more) {
    if (b->from == b->to) b->from = b->to = 0;
    if (b->to + more <= b->room) return;
    if (b->from) {
        memmove(b->at, b->at + b->from, held(b));
        b->to -= b->from;
        b->from = 0;
    }
    while (b->to + more > b->room) b->room = b->room ? 2 * b->room : 4096;
    b->at = realloc(b->at, b->room);
    if (!b->at) die("memory");
}

static inline void put(struct bytes *b, const void *what, size_t size) {
    room_for(b, size);
    memcpy(b->at + b->to, what, size);
    b->to += size;
}

static inline void put_text(struct bytes *b, const char *text) { put(b, text, strlen(text)); }

/* End when whoever started this ends: nothing is left running. */
static inline void with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGKILL); }

static inline void all_files(void) {
    struct rlimit most;
    if (getrlimit(RLIMIT_NOFILE, &most)) return;
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
}

static inline void at_once(int fd) {
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static inline struct sockaddr_in loopback(int port) {
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return there;
}

/* Listen on 127.0.0.1; port 0 takes a free one and tells it. */
static inline int listening(int *port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in here = loopback(*port);
    socklen_t size = sizeof here;
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&here, size) || listen(fd, 4096)) die("listen");
    if (getsockname(fd, (struct sockaddr *)&here, &size)) die("getsockname");
    *port = ntohs(here.sin_port);
    return fd;
}

/* What follows `"key" :` in a JSON text of ours, or NULL. */
static inline const char *after_key(const char *text, size_t size, const char *key) {
    const char *end = text + size, *found = memmem(text, size, key, strlen(key));
    if (!found) return NULL;
    found += strlen(key);
    while (found < end && (*found == ' ' || *found == ':')) found++;
    return found < end ? found : NULL;
}

/* The whole number after `word`, or `otherwise`; a number that the end cuts is not read. */
static inline int64_t number_after(const char *text, size_t size, const char *word,
                                   int64_t otherwise) {
    const char *end = text + size, *found = after_key(text, size, word);
    int64_t number = 0;
    if (!found || !isdigit((unsigned char)*found)) return otherwise;
    while (found < end && isdigit((unsigned char)*found)) number = 10 * number + (*found++ - '0');
    return number;
}

/* The value of a header in `head` (which ends with an empty line), or NULL. */
static inline const char *header(const char *head, size_t size, const char *name) {
    size_t length = strlen(name);
    const char *line = head, *end = head + size;
    while ((line = memchr(line, '\n', (size_t)(end - line)))) {
        line++;
        if ((size_t)(end - line) > length && line[length] == ':' &&
            !strncasecmp(line, name, length)) {
            line += length + 1;
            while (*line == ' ') line++;
            return line;
        }
    }
    return NULL;
}

#endif
