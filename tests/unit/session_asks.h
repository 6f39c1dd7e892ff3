/* tests: exchanges as the sessions are asked about them, in one line each. */
#ifndef WW_TEST_SESSION_ASKS_H
#define WW_TEST_SESSION_ASKS_H

#include <whichworker/judge.h>

#include <string.h>

struct ask {
    uint64_t connection;
    const char *client, *agent, *auth, *cookie, *set, *set2;
    const char *method, *target, *header, *answer, *type,
        *body; /* header, answer: "Name: value" */
    struct ww_payload *payload;
};

static void add_line(struct ww_exchange *x, struct ww_fields *f, const char *line)
{
    const char *colon = line == NULL ? NULL : strchr(line, ':');

    if (colon != NULL)
        ww_fields_add(f, &x->arena, ww_str_n(line, (size_t)(colon - line)),
                      ww_str_c(colon + 2));
}

static size_t session_of(struct ww_sessions *s, struct ask a)
{
    struct ww_exchange *x = ww_exchange_new(1 << 16);

    x->connection = a.connection;
    x->client = ww_str_c(a.client == NULL ? "127.0.0.1" : a.client);
    x->method = ww_str_c(a.method == NULL ? "GET" : a.method);
    x->target = ww_str_c(a.target == NULL ? "/" : a.target);
    x->status = 200;
    add_line(x, &x->request_fields, a.header);
    add_line(x, &x->response_fields, a.answer);
    if (a.body != NULL) {
        ww_fields_add(&x->response_fields, &x->arena, WW_STR("Content-Type"),
                      ww_str_c(a.type == NULL ? "application/json" : a.type));
        x->response_body = (struct ww_body){ ww_str_c(a.body), strlen(a.body) };
    }
    if (a.payload != NULL) {
        x->payload = a.payload;
        x->payloads = 1;
    }
    x->ended_us = 1700000000 * (int64_t)1000000;
    ww_fields_add(&x->request_fields, &x->arena, WW_STR("user-agent"),
                  ww_str_c(a.agent == NULL ? "test" : a.agent));
    if (a.auth != NULL)
        ww_fields_add(&x->request_fields, &x->arena, WW_STR("Authorization"), ww_str_c(a.auth));
    if (a.cookie != NULL)
        ww_fields_add(&x->request_fields, &x->arena, WW_STR("Cookie"), ww_str_c(a.cookie));
    if (a.set != NULL)
        ww_fields_add(&x->response_fields, &x->arena, WW_STR("Set-Cookie"), ww_str_c(a.set));
    if (a.set2 != NULL)
        ww_fields_add(&x->response_fields, &x->arena, WW_STR("Set-Cookie"), ww_str_c(a.set2));
    size_t session = ww_sessions_assign(s, x);
    ww_exchange_free(x);
    return session;
}

#define ASK(...) session_of(s, (struct ask){ __VA_ARGS__ })

#endif
