/* tests: runs .case files through the judge and prints TAP; the grammar is in README.md here.
 */
#include "case_run.h"

#include <assert.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void case_fail(struct run *r, const char *fmt, ...)
{
    va_list ap;

    if (r->why[0] != '\0')
        return;
    va_start(ap, fmt);
    vsnprintf(r->why, sizeof r->why, fmt, ap);
    va_end(ap);
}

/* ---- words of a line: blanks separate, but not inside quotes or brackets */

static char *token_end(char *p)
{
    int depth = 0;
    bool quoted = false;

    for (; *p != '\0' && (depth > 0 || quoted || (*p != ' ' && *p != '\t')); p++) {
        if (*p == '"' && p[-1] != '\\')
            quoted = !quoted;
        if (!quoted)
            depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
    }
    return p;
}

static size_t split(char *line, char **token)
{
    size_t n = 0;

    for (char *p = line + strspn(line, " \t"); *p != '\0' && *p != '#' && n < TOKENS_MAX;) {
        token[n++] = p;
        p = token_end(p);
        if (*p != '\0')
            *p++ = '\0';
        p += strspn(p, " \t");
    }
    return n;
}

const char *case_after(const char *token, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(token, prefix, len) == 0 ? token + len : NULL;
}

/* ---- the world */

static struct jar *jar_of(struct run *r, const char *name)
{
    for (size_t i = 0; i < r->jars; i++) {
        if (strcmp(r->jar[i].name, name) == 0)
            return &r->jar[i];
    }
    assert(r->jars < JARS_MAX);
    struct jar *j = &r->jar[r->jars++];
    snprintf(j->name, sizeof j->name, "%s", name);
    return j;
}

static struct ww_worker *worker_of(struct run *r, const char *name)
{
    int32_t pid = (int32_t)strtol(name + 1, NULL, 10);

    for (size_t i = 0; i < r->workers; i++) {
        if (r->worker[i].id.pid == pid)
            return &r->worker[i];
    }
    assert(r->workers < WORKERS_MAX);
    struct ww_worker *w = &r->worker[r->workers];
    *w = (struct ww_worker){ .id = { .pid = pid, .start_ticks = 7 },
                             .slot = (uint32_t)r->workers,
                             .started_us = EPOCH_US - 1000000 };
    r->workers++;
    return w;
}

static void jar_put(struct jar *j, const char *name, const char *value)
{
    size_t i = 0;

    while (i < j->cookies && strcmp(j->cookie[i].name, name) != 0) {
        i++;
    }
    assert(i < COOKIES_MAX);
    if (i == j->cookies)
        j->cookies++;
    snprintf(j->cookie[i].name, sizeof j->cookie[i].name, "%s", name);
    snprintf(j->cookie[i].value, sizeof j->cookie[i].value, "%s", value);
}

static void add_field(struct ww_exchange *x, struct ww_fields *f, const char *name,
                      ww_str value)
{
    ww_fields_add(f, &x->arena, ww_arena_dup(&x->arena, ww_str_c(name)),
                  ww_arena_dup(&x->arena, value));
}

/* What has blanks in it stands in quotes. */
ww_str case_unquoted(const char *text)
{
    size_t len = strlen(text);

    return len >= 2 && text[0] == '"' && text[len - 1] == '"' ? ww_str_n(text + 1, len - 2)
                                                              : ww_str_c(text);
}

static void add_header(struct ww_exchange *x, struct ww_fields *f, const char *text)
{
    ww_str rest = case_unquoted(text), name;

    if (ww_str_cut(&rest, ':', &name)) {
        ww_fields_add(f, &x->arena, ww_arena_dup(&x->arena, name),
                      ww_arena_dup(&x->arena, rest));
    }
}

/* Quoted text without its quotes; \\n in it is a line feed. */
static ww_str quoted_text(struct ww_exchange *x, const char *text)
{
    size_t len = strlen(text);
    char *out = ww_arena_alloc(&x->arena, len), *to = out;

    for (size_t i = 1; i + 1 < len; i++) {
        if (text[i] == '\\' && text[i + 1] == 'n') {
            *to++ = '\n';
            i++;
        } else {
            *to++ = text[i];
        }
    }
    return ww_str_n(out, (size_t)(to - out));
}

static void add_body(struct ww_exchange *x, struct ww_fields *f, struct ww_body *body,
                     const char *text, bool request)
{
    ww_str bytes = ww_str_c(text);
    bool json = *text == '{' || *text == '[';
    const char *type = json      ? "application/json"
                       : request ? "application/x-www-form-urlencoded"
                                 : "text/plain";

    if (*text == '"')
        bytes = quoted_text(x, text);
    if (ww_fields_get(f, WW_STR("content-type")).ptr == NULL)
        add_field(x, f, "Content-Type", ww_str_c(type));
    body->bytes = ww_arena_dup(&x->arena, bytes);
    body->size = bytes.len;
}

static void add_payload(struct ww_exchange *x, const char *value, const char *json)
{
    struct ww_payload *p = ww_arena_alloc(&x->arena, (x->payloads + 1) * sizeof *p);

    if (x->payloads > 0)
        memcpy(p, x->payload, x->payloads * sizeof *p);
    p[x->payloads] = (struct ww_payload){ .value = ww_arena_dup(&x->arena, ww_str_c(value)),
                                          .form = "itsdangerous",
                                          .json = ww_arena_dup(&x->arena, ww_str_c(json)),
                                          .content = ww_arena_dup(&x->arena, ww_str_c(json)) };
    x->payload = p;
    x->payloads++;
}

/* "NAME:VALUE"; a VALUE that is JSON is the payload of a signed cookie: its text, hidden as the
 * recorder hides it, depends on the payload and on the signing key, which is the worker's own
 * unless the case says "keys shared". */
static void set_cookie(struct run *r, struct jar *j, struct ww_exchange *x, const char *text)
{
    char name[64], value[64];
    const char *colon = strchr(text, ':');

    assert(colon != NULL);
    snprintf(name, sizeof name, "%.*s", (int)(colon - text), text);
    snprintf(value, sizeof value, "%s", colon + 1);
    if (colon[1] == '{') {
        struct ww_mac_key key = { .byte = { r->shared_key ? 1
                                                          : (unsigned char)x->worker.pid } };
        char mac[WW_MAC_TEXT];
        ww_mac(&key, ww_str_c(colon + 1), mac);
        snprintf(value, sizeof value, "mac:%s", mac);
        add_payload(x, value, colon + 1);
    }
    jar_put(j, name, value);
    add_field(x, &x->response_fields, "Set-Cookie",
              ww_arena_printf(&x->arena, "%s=%s; Path=/", name, value));
}

/* ---- an exchange */

/* A token that is JSON is the payload of a signed one; "given" is the client's own. */
static void bearer(struct ww_exchange *x, const struct jar *j, const char *token)
{
    struct ww_mac_key key = { .byte = { 1 } };
    char mac[WW_MAC_TEXT], value[64];

    ww_mac(&key, ww_str_c(token), mac);
    snprintf(value, sizeof value, "mac:%.*s", 40, *token == '{' ? mac : token);
    if (*token == '{')
        add_payload(x, value, token);
    add_field(x, &x->request_fields, "Authorization",
              ww_arena_printf(&x->arena, "Bearer %s",
                              strcmp(token, "given") == 0 ? j->token : value));
}

/* The answer gives out a token with this payload, signed with the worker's own key, or with one
 * for all. */
static void give_token(struct run *r, struct jar *j, struct ww_exchange *x, const char *json)
{
    struct ww_mac_key key = { .byte = { r->shared_key ? 1 : (unsigned char)x->worker.pid } };
    char mac[WW_MAC_TEXT];

    ww_mac(&key, ww_str_c(json), mac);
    snprintf(j->token, sizeof j->token, "mac:%s", mac);
    add_payload(x, j->token, json);
    ww_str body = ww_arena_printf(&x->arena, "{\"access_token\":\"%s\"}", j->token);
    add_body(x, &x->response_fields, &x->response_body, body.ptr, false);
}

/* "title=Sunset"; what is called file has a file's name. Under the boundary xYz. */
static void add_part(struct ww_exchange *x, const char *text)
{
    ww_str rest = ww_str_c(text), name, old = x->request_body.bytes;
    bool file = ww_str_starts(rest, WW_STR("file="));

    ww_str_cut(&rest, '=', &name);
    if (old.len > 7)
        old.len -= 7; /* "--xYz--" */
    x->request_body.bytes = ww_arena_printf(
        &x->arena,
        WW_STRF "--xYz\r\nContent-Disposition: form-data; name=\"" WW_STRF "\"%s" WW_STRF
                "%s\r\n\r\n" WW_STRF "\r\n--xYz--",
        WW_STRV(old), WW_STRV(name), file ? "; filename=\"" : "",
        WW_STRV(file ? rest : WW_STR("")), file ? "\"\r\nContent-Type: image/jpeg" : "",
        WW_STRV(file ? WW_STR("JFIF") : rest));
    x->request_body.size = x->request_body.bytes.len;
}

static void request_word(struct run *r, const struct jar *j, struct ww_exchange *x,
                         const char *t, bool *with_cookies)
{
    const char *v;

    if ((v = case_after(t, "auth=")) != NULL) {
        add_field(x, &x->request_fields, "Authorization",
                  ww_arena_printf(&x->arena, "Basic mac:%s", v));
    } else if ((v = case_after(t, "bearer=")) != NULL) {
        bearer(x, j, v);
    } else if ((v = case_after(t, "header=")) != NULL) {
        add_header(x, &x->request_fields, v);
    } else if ((v = case_after(t, "client=")) != NULL) {
        x->client = ww_arena_dup(&x->arena, ww_str_c(v));
    } else if (strcmp(t, "nocookie") == 0) {
        *with_cookies = false;
    } else if (strcmp(t, "multipart") == 0) {
        r->multipart = true;
    } else if (r->multipart) {
        add_part(x, t);
    } else if (strcmp(t, "overlap") == 0) {
        x->started_us = r->last_start_us + STEP_US / 2;
    } else {
        add_body(x, &x->request_fields, &x->request_body, t, true);
    }
}

static void response_word(struct run *r, struct jar *j, struct ww_exchange *x, const char *t)
{
    const char *v;

    if ((v = case_after(t, "set=")) != NULL) {
        set_cookie(r, j, x, v);
    } else if ((v = case_after(t, "token=")) != NULL) {
        give_token(r, j, x, v);
    } else if ((v = case_after(t, "clear=")) != NULL) {
        jar_put(j, v, "");
        add_field(x, &x->response_fields, "Set-Cookie",
                  ww_arena_printf(&x->arena, "%s=; Max-Age=0; Path=/", v));
    } else if ((v = case_after(t, "location=")) != NULL) {
        add_field(x, &x->response_fields, "Location", ww_str_c(v));
    } else if ((v = case_after(t, "type=")) != NULL) {
        add_field(x, &x->response_fields, "Content-Type", ww_str_c(v));
    } else if ((v = case_after(t, "header=")) != NULL) {
        add_header(x, &x->response_fields, v);
    } else if ((v = case_after(t, "end=")) != NULL) {
        x->end = ww_end_find(ww_str_c(v));
        assert(x->end != WW_ENDS);
    } else if (strcmp(t, "cut") == 0) {
        x->response_body.size += 1000;
    } else if (strcmp(t, "long") == 0) {
        x->ended_us += LONG_US;
    } else if (strcmp(t, "slow") == 0) {
        x->ended_us += STEP_US;
    } else {
        add_body(x, &x->response_fields, &x->response_body, t, false);
    }
}

static void add_cookies(struct ww_exchange *x, const struct jar *j)
{
    struct ww_buf b;

    ww_buf_init(&b, 4096);
    for (size_t i = 0; i < j->cookies; i++) {
        if (j->cookie[i].value[0] != '\0') {
            ww_buf_printf(&b, "%s%s=%s", b.len > 0 ? "; " : "", j->cookie[i].name,
                          j->cookie[i].value);
        }
    }
    if (b.len > 0)
        add_field(x, &x->request_fields, "Cookie", ww_buf_str(&b));
    ww_buf_release(&b);
}

/* CLIENT WORKER METHOD TARGET … -> STATUS … */
static void exchange(struct run *r, char **t, size_t n)
{
    struct ww_exchange *x = ww_exchange_new(1 << 20);
    struct jar *j = jar_of(r, t[0]);
    bool with_cookies = true;
    size_t i = 4;

    x->id = ++r->id;
    x->connection = (uint64_t)(j - r->jar) + 1;
    x->client = WW_STR("127.0.0.1");
    x->method = ww_arena_dup(&x->arena, ww_str_c(t[2]));
    x->target = ww_arena_dup(&x->arena, ww_str_c(t[3]));
    x->by = WW_BY_KERNEL;
    if (strcmp(t[1], "?") == 0) {
        x->by = WW_BY_UNKNOWN;
    } else if (strcmp(t[1], "-") == 0) {
        x->by = WW_BY_NOBODY;
    } else {
        x->worker = worker_of(r, t[1])->id;
    }
    x->started_us = r->now_us + STEP_US;
    add_field(x, &x->request_fields, "User-Agent", ww_str_c(t[0]));
    for (; i < n && strcmp(t[i], "->") != 0; i++) {
        request_word(r, j, x, t[i], &with_cookies);
    }
    r->multipart = false;
    if (with_cookies)
        add_cookies(x, j);
    assert(i + 1 < n);
    x->status = (unsigned)strtoul(t[i + 1], NULL, 10);
    x->ended_us = x->started_us + STEP_US;
    for (i += 2; i < n; i++) {
        response_word(r, j, x, t[i]);
    }
    r->last_start_us = x->started_us;
    if (x->ended_us > r->now_us && x->ended_us - x->started_us < LONG_US)
        r->now_us = x->ended_us;
    if (r->exchanges == r->cap)
        r->exchange = ww_grow(r->exchange, r->exchanges + 1, &r->cap, sizeof(void *));
    r->exchange[r->exchanges++] = x;
}

/* ---- the other lines */

/* restart w11 w21: w21 takes the place of w11, which ends now. */
static void restart(struct run *r, const char *old, const char *fresh)
{
    struct ww_worker *gone = worker_of(r, old);
    uint32_t slot = gone->slot;

    gone->ended_us = r->now_us + 1;
    r->now_us += 2;
    struct ww_worker *w = worker_of(r, fresh);
    w->started_us = r->now_us;
    w->slot = slot;
}

static void config(struct run *r, const char *word)
{
    const char *v;

    if ((v = case_after(word, "fail-on=")) != NULL) {
        if (!ww_fail_on_find(ww_str_c(v), &r->cfg.fail_on))
            case_fail(r, "no such grade: %s", v);
    } else if ((v = case_after(word, "min-attributed=")) != NULL) {
        r->cfg.min_attributed = strtod(v, NULL);
    }
}

/* The same exchanges are judged again where the case has had a verdict already. */
static void rule(struct run *r, char **t, size_t n, size_t line)
{
    struct ww_err err = { 0 };

    if (!case_rules_add(&r->rules, t, n, line, &err))
        case_fail(r, "line %zu: %s", line, err.text);
    ww_judge_free(r->judge);
    r->judge = NULL;
    r->verdict = NULL;
    memset(r->matched, 0, sizeof r->matched);
}

static void line_run(struct run *r, char *text, size_t line)
{
    char *t[TOKENS_MAX];
    size_t n = split(text, t);

    if (n == 0)
        return;
    if (strcmp(t[0], "expect") == 0) {
        case_expect(r, t + 1, n - 1, line);
    } else if (strcmp(t[0], "keys") == 0) {
        r->shared_key = n > 1 && strcmp(t[1], "shared") == 0;
    } else if (strcmp(t[0], "config") == 0 && n == 2) {
        config(r, t[1]);
    } else if (strcmp(t[0], "rule") == 0) {
        rule(r, t + 1, n - 1, line);
    } else if (strcmp(t[0], "worker") == 0 && n == 2) {
        worker_of(r, t[1]);
    } else if (strcmp(t[0], "schedule") == 0 && n == 2) {
        r->sticky = strcmp(t[1], "sticky") == 0;
    } else if (strcmp(t[0], "restart") == 0 && n == 3) {
        restart(r, t[1], t[2]);
    } else if (strcmp(t[0], "wait") == 0 && n == 2) {
        r->now_us += strtol(t[1], NULL, 10) * 1000000;
    } else if (n >= 6) {
        exchange(r, t, n);
    } else {
        case_fail(r, "line %zu: not understood", line);
    }
}

static void replace_percent(char *out, size_t size, const char *in, unsigned number)
{
    size_t len = 0;

    for (; *in != '\0' && len + 12 < size; in++) {
        if (*in == '%') {
            len += (size_t)snprintf(out + len, size - len, "%u", number);
        } else {
            out[len++] = *in;
        }
    }
    out[len] = '\0';
}

/* "repeat N" … "end": the lines between, N times, each % replaced by 1, 2, … */
static void text_run(struct run *r, char **line, size_t lines)
{
    char buffer[4096];

    for (size_t i = 0; i < lines; i++) {
        const char *times = case_after(line[i], "repeat ");
        size_t from = i + 1, to = from;
        if (times == NULL) {
            snprintf(buffer, sizeof buffer, "%s", line[i]);
            line_run(r, buffer, i + 1);
            continue;
        }
        while (to < lines && strcmp(line[to], "end") != 0) {
            to++;
        }
        for (unsigned k = 1; k <= strtoul(times, NULL, 10); k++) {
            for (size_t m = from; m < to; m++) {
                replace_percent(buffer, sizeof buffer, line[m], k);
                line_run(r, buffer, m + 1);
            }
        }
        i = to;
    }
}

static void run_release(struct run *r)
{
    ww_judge_free(r->judge);
    case_rules_release(&r->rules);
    for (size_t i = 0; i < r->exchanges; i++) {
        ww_exchange_free(r->exchange[i]);
    }
    free(r->exchange);
    free(r);
}

/* True if all that the file expects is so. */
static bool case_run(const char *path, const char *name, unsigned number)
{
    struct run *r = ww_xcalloc(1, sizeof *r);
    char *line[1024], text[4096];
    size_t lines = 0;
    FILE *f = fopen(path, "r");

    case_rules_init(&r->rules);
    r->cfg.fail_on = WW_FAIL_ON_LIKELY;
    r->now_us = EPOCH_US;
    if (f == NULL)
        case_fail(r, "cannot be opened");
    while (f != NULL && lines < 1024 && fgets(text, sizeof text, f) != NULL) {
        text[strcspn(text, "\n")] = '\0';
        line[lines++] = ww_xstrdup(text);
    }
    if (f != NULL)
        fclose(f);
    text_run(r, line, lines);
    if (r->verdict == NULL)
        case_fail(r, "nothing is expected");
    bool ok = r->why[0] == '\0';
    printf("%s %u - %s\n", ok ? "ok" : "not ok", number, name);
    if (!ok) {
        printf("#   %s\n", r->why);
        if (r->verdict != NULL)
            case_describe(r);
    } else if (getenv("CASE_VERBOSE") != NULL) {
        case_describe(r);
    }
    for (size_t i = 0; i < lines; i++) {
        free(line[i]);
    }
    run_release(r);
    return ok;
}

static int is_case(const struct dirent *d)
{
    return ww_str_ends(ww_str_c(d->d_name), WW_STR(".case"));
}

int main(int argc, char **argv)
{
    struct dirent **entry;
    int n = argc == 2 ? scandir(argv[1], &entry, is_case, alphasort) : -1;
    unsigned failed = 0;

    if (n <= 0) {
        fprintf(stderr, "usage: run_cases DIRECTORY\n");
        return 1;
    }
    printf("1..%d\n", n);
    for (int i = 0; i < n; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", argv[1], entry[i]->d_name);
        failed += !case_run(path, entry[i]->d_name, (unsigned)i + 1);
        free(entry[i]);
    }
    free(entry);
    return failed > 0;
}
