/* The baseline's file: YAML, since people read and edit it and see its changes in reviews. */
#include "baseline.h"

#include "command.h"
#include "place.h"

#include <whichworker/arena.h>
#include <whichworker/json.h>
#include <whichworker/units.h>

#include <cyaml/cyaml.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX_BYTES (4u << 20)
#define ENTRIES_MAX    10000
#define TEXT_MAX       8192
#define COMPLAINT_MAX  300
#define DAY_US         (86400 * (int64_t)1000000)
#define FORMAT         1

/* The file, as libcyaml makes it. */
struct document {
    unsigned format;
    struct baseline_entry *known;
    unsigned known_count;
};

struct baseline {
    struct document *document; /* NULL: no file yet */
};

/* ---- reading */

static const cyaml_strval_t guarantees[] = {
    { "read-your-writes", WW_READ_YOUR_WRITES },
    { "monotonic-reads", WW_MONOTONIC_READS },
    { "session-reset", WW_SESSION_RESET },
    { "status-flip", WW_STATUS_FLIP },
};

_Static_assert(sizeof(guarantees) / sizeof(guarantees[0]) == WW_GUARANTEES,
               "a guarantee has no name in the baseline");

static const cyaml_schema_field_t entry_fields[] = {
    CYAML_FIELD_ENUM("guarantee", CYAML_FLAG_STRICT, struct baseline_entry, guarantee,
                     guarantees, WW_GUARANTEES),
    CYAML_FIELD_STRING_PTR("method", CYAML_FLAG_POINTER, struct baseline_entry, method, 1,
                           TEXT_MAX),
    CYAML_FIELD_STRING_PTR("route", CYAML_FLAG_POINTER, struct baseline_entry, route, 1,
                           TEXT_MAX),
    CYAML_FIELD_STRING_PTR("place", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                           struct baseline_entry, place, 0, TEXT_MAX),
    CYAML_FIELD_STRING_PTR("reason", CYAML_FLAG_POINTER, struct baseline_entry, reason, 1,
                           TEXT_MAX),
    CYAML_FIELD_STRING_PTR("expires", CYAML_FLAG_POINTER, struct baseline_entry, expires, 1,
                           TEXT_MAX),
    CYAML_FIELD_END
};

static const cyaml_schema_value_t entry_schema = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_DEFAULT, struct baseline_entry, entry_fields) };

static const cyaml_schema_field_t document_fields[] = {
    CYAML_FIELD_UINT("whichworker-baseline", CYAML_FLAG_DEFAULT, struct document, format),
    CYAML_FIELD_SEQUENCE("known", CYAML_FLAG_POINTER, struct document, known, &entry_schema, 0,
                         ENTRIES_MAX),
    CYAML_FIELD_END
};

static const cyaml_schema_value_t document_schema = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_POINTER, struct document, document_fields) };

/* Keeps what libcyaml says first, and where: the rest leads from there to the top. */
__attribute__((format(printf, 3, 0))) static void note_complaint(cyaml_log_t level, void *ctx,
                                                                 const char *fmt, va_list args)
{
    struct ww_buf *out = ctx;
    struct ww_buf line;

    if (level < CYAML_LOG_ERROR)
        return;
    ww_buf_init(&line, COMPLAINT_MAX);
    ww_buf_vprintf(&line, fmt, args);

    ww_str text = ww_str_trim(ww_buf_str(&line));

    if (ww_str_starts(text, WW_STR("Load: ")))
        text = ww_str_from(text, 6);
    if (ww_str_ends(text, WW_STR("\n")))
        text = ww_str_upto(text, text.len - 1);
    if (out->len == 0 || (ww_str_find(text, WW_STR("line:")) >= 0 &&
                          ww_str_find(ww_buf_str(out), WW_STR("line:")) < 0)) {
        if (out->len > 0)
            ww_buf_add_char(out, ' ');
        ww_buf_add(out, text);
    }
    ww_buf_release(&line);
}

static cyaml_config_t yaml_config(struct ww_buf *complaint)
{
    return (cyaml_config_t){ .log_fn = note_complaint,
                             .log_ctx = complaint,
                             .log_level = CYAML_LOG_ERROR,
                             .mem_fn = cyaml_mem,
                             .flags = CYAML_CFG_NO_ALIAS };
}

/* "2027-02-28": the first microsecond after that day. False if there is no such day. */
static bool read_day(const char *text, int64_t *out_end_us)
{
    struct tm day = { 0 };
    char again[WW_TIME_TEXT];
    const char *end = strptime(text, "%Y-%m-%d", &day);

    if (end == NULL || *end != '\0' || strlen(text) != 10)
        return false;

    int64_t start_us = (int64_t)timegm(&day) * 1000000;

    ww_time_text(start_us, again);
    *out_end_us = start_us + DAY_US;
    return strncmp(text, again, 10) == 0;
}

bool baseline_holds(const struct baseline_entry *e, int64_t now_us)
{
    int64_t end_us = INT64_MAX;

    return strcmp(e->expires, "never") == 0 ||
           (read_day(e->expires, &end_us) && now_us < end_us);
}

static int check(const struct baseline *b, ww_str path, struct ww_err *err)
{
    if (b->document->format != FORMAT)
        return ww_err_set(err, WW_EUSAGE,
                          "the baseline " WW_STRF " is of version %u; this program knows %d",
                          WW_STRV(path), b->document->format, FORMAT);
    for (size_t i = 0; i < baseline_count(b); i++) {
        const struct baseline_entry *e = baseline_at(b, i);
        int64_t ignored;

        if (strcmp(e->expires, "never") != 0 && !read_day(e->expires, &ignored))
            return ww_err_set(err, WW_EUSAGE,
                              "the baseline " WW_STRF ": entry %zu expires '%.40s', which is "
                              "neither a day like 2027-02-28 nor 'never'",
                              WW_STRV(path), i + 1, e->expires);
    }
    return WW_OK;
}

static int parse(struct baseline *b, ww_str path, const uint8_t *text, size_t len,
                 struct ww_err *err)
{
    struct ww_buf complaint;

    ww_buf_init(&complaint, COMPLAINT_MAX);

    cyaml_config_t config = yaml_config(&complaint);
    cyaml_err_t e = cyaml_load_data(text, len, &config, &document_schema,
                                    (cyaml_data_t **)&b->document, NULL);

    if (e == CYAML_OK && b->document == NULL) {
        e = CYAML_ERR_INVALID_VALUE;
        ww_buf_add_c(&complaint, "there is nothing in it");
    }
    if (e != CYAML_OK) {
        ww_err_set(err, WW_EUSAGE, "the baseline " WW_STRF " cannot be read: %s. " WW_STRF,
                   WW_STRV(path), cyaml_strerror(e), WW_STRV(ww_buf_str(&complaint)));
    }
    ww_buf_release(&complaint);
    return e == CYAML_OK ? check(b, path, err) : WW_EUSAGE;
}

static int read_file(struct baseline *b, ww_str path, int fd, struct ww_err *err)
{
    struct ww_buf text;
    char *room;
    ssize_t n = 0;

    ww_buf_init(&text, FILE_MAX_BYTES);
    while ((room = ww_buf_room(&text, 4096)) != NULL && (n = read(fd, room, 4096)) > 0)
        text.len += (size_t)n;

    int r;

    if (text.full)
        r = ww_err_set(err, WW_EUSAGE, "the baseline " WW_STRF " is larger than 4M",
                       WW_STRV(path));
    else if (n < 0)
        r = ww_err_errno(err, errno, "cannot read the baseline " WW_STRF, WW_STRV(path));
    else
        r = parse(b, path, (const uint8_t *)text.ptr, text.len, err);
    ww_buf_release(&text);
    return r;
}

struct baseline *baseline_load(ww_str path, bool may_begin, struct ww_err *err)
{
    struct baseline *b = ww_xcalloc(1, sizeof(*b));
    int fd = open(path.ptr, O_RDONLY | O_CLOEXEC); /* of the command line: NUL-terminated */
    int r = WW_OK;

    if (fd < 0 && errno == ENOENT && !may_begin)
        r = ww_err_set(err, WW_EUSAGE,
                       "there is no baseline " WW_STRF "; --update-baseline makes one",
                       WW_STRV(path));
    else if (fd < 0 && errno != ENOENT) {
        ww_err_errno(err, errno, "cannot read the baseline " WW_STRF, WW_STRV(path));
        r = err->code = WW_EUSAGE;
    } else if (fd >= 0)
        r = read_file(b, path, fd, err);
    if (fd >= 0)
        close(fd);
    if (r == WW_OK)
        return b;
    baseline_free(b);
    return NULL;
}

void baseline_free(struct baseline *b)
{
    struct ww_buf ignored;

    if (b == NULL)
        return;
    ww_buf_init(&ignored, COMPLAINT_MAX);

    cyaml_config_t config = yaml_config(&ignored);

    if (b->document != NULL)
        (void)cyaml_free(&config, &document_schema, b->document, 0);
    ww_buf_release(&ignored);
    free(b);
}

size_t baseline_count(const struct baseline *b)
{
    return b->document == NULL ? 0 : b->document->known_count;
}

const struct baseline_entry *baseline_at(const struct baseline *b, size_t i)
{
    return &b->document->known[i];
}

/* ---- matching */

static bool is_about(const struct baseline_entry *e, const struct ww_finding *f)
{
    return e->guarantee == f->guarantee && ww_str_eq(ww_str_c(e->method), f->method) &&
           ww_str_eq(ww_str_c(e->route), f->route) &&
           ww_str_eq(ww_str_c(e->place == NULL ? "" : e->place),
                     f->place.ptr == NULL ? WW_STR("") : f->place);
}

size_t baseline_find(const struct baseline *b, const struct ww_finding *f)
{
    for (size_t i = 0; i < baseline_count(b); i++)
        if (is_about(baseline_at(b, i), f))
            return i;
    return SIZE_MAX;
}

bool baseline_was_tried(const struct baseline_entry *e, const struct ww_verdict *v)
{
    for (size_t i = 0; i < v->routes; i++) {
        ww_str route = v->route[i];
        ww_str method;

        if (ww_str_cut(&route, ' ', &method) && ww_str_eq(method, ww_str_c(e->method)) &&
            ww_str_eq(route, ww_str_c(e->route)))
            return true;
    }
    return false;
}

/* ---- writing */

/* Text from the wire and from people, in JSON's quotes: they are YAML's too. */
static void put_quoted(struct ww_buf *out, const char *key, ww_str value)
{
    struct ww_json j;

    ww_buf_printf(out, "%s: ", key);
    ww_json_init(&j, out, false);
    ww_json_str(&j, NULL, value.ptr == NULL ? WW_STR("") : value);
    ww_json_finish(&j); /* ends the line */
}

static void put_entry(struct ww_buf *out, enum ww_guarantee guarantee, ww_str method,
                      ww_str route, ww_str place, ww_str reason, const char *expires)
{
    ww_buf_printf(out, "\n  - guarantee: %s\n", ww_guarantee_token(guarantee));
    put_quoted(out, "    method", method);
    put_quoted(out, "    route", route);
    if (place.len > 0)
        put_quoted(out, "    place", place);
    put_quoted(out, "    reason", reason);
    ww_buf_printf(out, "    expires: %s\n", expires);
}

static bool is_seen(const struct baseline_entry *e, const struct ww_verdict *v)
{
    for (size_t i = 0; i < v->findings; i++)
        if (is_about(e, &v->finding[i]))
            return true;
    return false;
}

/* Two causes of the same fault at the same place are one entry. */
static bool is_new(const struct baseline *b, const struct ww_verdict *v, size_t finding)
{
    const struct ww_finding *f = &v->finding[finding];

    for (size_t i = 0; i < finding; i++) {
        const struct ww_finding *g = &v->finding[i];

        if (g->fails && g->guarantee == f->guarantee && ww_str_eq(g->method, f->method) &&
            ww_str_eq(g->route, f->route) && ww_str_eq(g->place, f->place))
            return false;
    }
    return f->fails && baseline_find(b, f) == SIZE_MAX;
}

static void put_document(struct ww_buf *out, const struct baseline *b,
                         const struct ww_verdict *v, int64_t now_us)
{
    char today[WW_TIME_TEXT];
    char until[WW_TIME_TEXT];
    char reason[96];

    ww_time_text(now_us, today);
    ww_time_text(now_us + BASELINE_DAYS * DAY_US, until);
    today[10] = until[10] = '\0';
    snprintf(reason, sizeof(reason), "found on %s; say here why it may stay", today);
    ww_buf_printf(out,
                  "# Known findings of whichworker: shown, and not counted until they expire.\n"
                  "# Reasons and dates are yours to edit; --update-baseline keeps them.\n"
                  "whichworker-baseline: %d\n"
                  "known:",
                  FORMAT);

    size_t empty = out->len;

    for (size_t i = 0; i < baseline_count(b); i++) {
        const struct baseline_entry *e = baseline_at(b, i);
        bool seen = is_seen(e, v);
        bool keep = seen || !baseline_was_tried(e, v) || v->doubt.ptr != NULL;

        if (keep)
            put_entry(out, e->guarantee, ww_str_c(e->method), ww_str_c(e->route),
                      ww_str_c(e->place), ww_str_c(e->reason),
                      seen && !baseline_holds(e, now_us) ? until : e->expires);
    }
    for (size_t i = 0; i < v->findings; i++) {
        const struct ww_finding *f = &v->finding[i];

        if (is_new(b, v, i))
            put_entry(out, f->guarantee, f->method, f->route, f->place, ww_str_c(reason),
                      until);
    }
    ww_buf_add_c(out, out->len == empty ? " []\n" : "");
}

int baseline_update(const struct baseline *b, ww_str path, const struct ww_verdict *v,
                    int64_t now_us, struct ww_err *err)
{
    struct ww_buf out;
    struct place p;

    if (place_open(&p, path, false, err) < 0)
        return err->code;
    ww_buf_init(&out, FILE_MAX_BYTES);
    put_document(&out, b, v, now_us);

    int r;

    if (out.full)
        r = ww_err_set(err, WW_ELIMIT, "the baseline would be larger than 4M");
    else if (!write_all(p.fd, ww_buf_str(&out)))
        r = ww_err_errno(err, errno, "cannot write the baseline " WW_STRF, WW_STRV(path));
    else
        r = place_put(&p, err);
    place_close(&p);
    ww_buf_release(&out);
    return r;
}
