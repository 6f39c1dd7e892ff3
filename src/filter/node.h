/* filter: what a filter's text is parsed into. */
#ifndef WW_FILTER_NODE_H
#define WW_FILTER_NODE_H

#include <whichworker/filter.h>

enum node_kind {
    NODE_AND,
    NODE_OR,
    NODE_NOT,
    NODE_ALL,
    NODE_BODY,
    NODE_CODE,
    NODE_DOMAIN,
    NODE_ERROR,
    NODE_FIELD,
    NODE_METHOD,
    NODE_NO_RESPONSE,
    NODE_RESPONSE,
    NODE_TYPE,
    NODE_URL,
    NODE_WORKER,
    NODE_SESSION,
    NODE_SPLIT,
    NODE_VERDICT,
    NODE_SOURCE
};

/* Which of the two messages an operator looks at. */
enum node_side { SIDE_REQUEST = 1, SIDE_RESPONSE = 2, SIDE_BOTH = 3 };

enum worker_name { WORKER_UNKNOWN, WORKER_PID, WORKER_SLOT };

/* Lives in the filter's arena, but for the pattern. */
struct node {
    enum node_kind kind;
    struct node *left, *right; /* AND, OR; NOT has left alone */
    enum node_side side;
    struct ww_re *re;       /* owned */
    struct node *next_re;   /* the nodes that own one */
    ww_str word;            /* VERDICT: "confirmed"; SOURCE: "known" */
    uint64_t number;        /* CODE, SESSION, WORKER */
    unsigned hundreds;      /* CODE: "5xx" is 5, and number is not looked at */
    enum worker_name named; /* WORKER */
};

struct ww_filter {
    struct ww_arena arena;
    ww_str text;
    struct node *root;
    struct node *first_re;
};

#endif
