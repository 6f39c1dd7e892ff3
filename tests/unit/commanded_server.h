/* tests: a server whose processes accept, close, fork and hand over when the test tells them
 * to. */
#ifndef COMMANDED_SERVER_H
#define COMMANDED_SERVER_H

#include <whichworker/attrib.h>

#include <sys/types.h>

#define WORKERS 4
enum family { TCP4, TCP6, MAPPED, WILD4, WILD6_BY_4, PATH, ABSTRACT, DEFERRED };

enum shape {
    PREFORK,   /* a master that only listens, workers that accept */
    LONE,      /* one process */
    REUSEPORT, /* workers with a listener each */
    SENDER     /* one process that listens, and a child to which it may send connections */
};

/*
 * A server. Each process obeys one-letter commands and reports a PID for each:
 * a accept; c close; f fork a child that keeps the connection; F the same, and close it;
 * s send it to the child over SCM_RIGHTS; x fork a child that keeps nothing, and wait for it;
 * h open something, so that the next connection gets another number.
 */
struct server {
    int command[WORKERS][2];
    int report[2];
    pid_t master;
    struct ww_addr up;
    struct ww_attrib *a;
    char path[64];
};

/* Starts it, and opens the attribution of its address. Any failure fails the test. */
void server_start(struct server *s, enum family family, enum shape shape);
void server_stop(struct server *s);

/* Has a worker do something; the PID that it reports. */
pid_t server_tell(const struct server *s, int worker, char command);

/* A connection to it; the caller closes fd. */
struct ww_flow server_dial(const struct server *s);

#endif
