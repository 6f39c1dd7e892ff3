/* judge: the values that a write took to the server or was given, and how it was answered. */
#include "look.h"

#define CARRIED_MAX 48  /* values of one write that are followed */
#define PLAIN_MAX   256 /* bytes of a plain body, or of a part, that is a value */
#define ANSWER_MAX  16  /* scalars of a write's answer that are followed */
#define VALUE_MIN   3   /* shorter texts occur by chance */
#define SHAPE_WORDS 8   /* a longer text answer is told by its status alone */

static bool worth_following(const struct model *m, uint32_t value)
{
    const struct word *w = &m->normal.word[value];

    return (w->is_number || w->text.len >= VALUE_MIN) && !ww_str_eq(w->text, WW_STR("true")) &&
           !ww_str_eq(w->text, WW_STR("false")) && !ww_str_eq(w->text, WW_STR("null"));
}

static bool is_secret_name(ww_str field)
{
    return ww_str_find_nocase(field, WW_STR("passw")) >= 0 ||
           ww_str_find_nocase(field, WW_STR("secret")) >= 0 ||
           ww_str_find_nocase(field, WW_STR("csrf")) >= 0 ||
           ww_str_find_nocase(field, WW_STR("xsrf")) >= 0;
}

static void carry(struct model *m, struct look *l, ww_str field, uint32_t value, bool place)
{
    if (l->carrieds >= CARRIED_MAX || is_secret_name(field) || !worth_following(m, value))
        return;
    for (size_t i = 0; i < l->carrieds; i++) {
        if (m->carried[l->carried + i].value == value &&
            m->carried[l->carried + i].place == place)
            return;
    }
    if (m->carrieds == m->carried_cap)
        m->carried = ww_grow(m->carried, m->carrieds + 1, &m->carried_cap, sizeof *m->carried);
    m->carried[m->carrieds++] =
        (struct carried){ .field = ww_word(&m->normal, field), .value = value, .place = place };
    l->carrieds++;
}

static void carry_form(struct model *m, struct look *l, const char *prefix, ww_str form)
{
    ww_str pair, name;

    while (l->carrieds < CARRIED_MAX && ww_str_cut(&form, '&', &pair)) {
        ww_str value = pair;
        if (!ww_str_cut(&value, '=', &name) || value.len == 0)
            continue;
        ww_add2(ww_scratch(m), prefix, name);
        carry(m, l, ww_buf_str(&m->scratch),
              ww_word(&m->normal, ww_form_decode(&m->normal, value)), false);
    }
}

static void carry_view(struct model *m, struct look *l, const char *prefix, uint32_t view,
                       uint32_t max)
{
    for (uint32_t i = 0; i < m->normal.view[view].leaves && i < max; i++) {
        struct leaf leaf = m->normal.view[view].leaf[i];
        if (*prefix != '\0' && m->normal.word[leaf.path].volatile_key)
            continue;
        ww_add2(ww_scratch(m), prefix, ww_word_text(&m->normal, leaf.path));
        carry(m, l, ww_buf_str(&m->scratch), leaf.value, false);
    }
}

/* RFC 7578: one part, its head and body. A file is followed by its name. */
static void carry_part(struct model *m, struct look *l, ww_str part)
{
    ptrdiff_t end = ww_str_find(part, WW_STR("\r\n\r\n"));
    ww_str head = ww_str_upto(part, end < 0 ? 0 : (size_t)end), name = { 0 }, file = { 0 };

    if (end < 0)
        return;
    ww_str value = ww_str_from(part, (size_t)end + 4), piece;
    while (ww_str_cut(&head, ';', &piece)) {
        ww_str text = ww_str_trim(piece), key;
        ptrdiff_t line = ww_str_find(text, WW_STR("\r\n"));
        text = line < 0 ? text : ww_str_upto(text, (size_t)line);
        if (!ww_str_cut(&text, '=', &key) || text.len < 2 || text.ptr[0] != '"')
            continue;
        ww_str unquoted = ww_str_n(text.ptr + 1, text.len - 2);
        if (ww_str_eq_nocase(key, WW_STR("name")))
            name = unquoted;
        if (ww_str_eq_nocase(key, WW_STR("filename")))
            file = unquoted;
    }
    if (ww_str_ends(value, WW_STR("\r\n")))
        value.len -= 2;
    value = file.ptr != NULL ? file : value;
    if (value.len == 0 || value.len > PLAIN_MAX)
        return;
    ww_add2(ww_scratch(m), "form ", name);
    carry(m, l, ww_buf_str(&m->scratch), ww_word(&m->normal, value), false);
}

static void carry_parts(struct model *m, struct look *l, ww_str type, ww_str body)
{
    ptrdiff_t at = ww_str_find_nocase(type, WW_STR("boundary="));
    ww_str rest = at < 0 ? (ww_str){ 0 } : ww_str_from(type, (size_t)at + 9), boundary;

    if (!ww_str_cut(&rest, ';', &boundary))
        return;
    boundary = ww_str_trim(boundary);
    if (boundary.len > 1 && boundary.ptr[0] == '"')
        boundary = ww_str_n(boundary.ptr + 1, boundary.len - 2);
    ptrdiff_t next = boundary.len == 0 ? -1 : ww_str_find(body, boundary);
    for (size_t parts = 0; next >= 0 && parts < CARRIED_MAX; parts++) {
        body = ww_str_from(body, (size_t)next + boundary.len);
        next = ww_str_find(body, boundary);
        if (next >= 2) /* "--" stands before each boundary */
            carry_part(m, l, ww_str_upto(body, (size_t)next - 2));
    }
}

/* A body that is a short text is one value. */
static void carry_plain(struct model *m, struct look *l, ww_str body)
{
    if (body.len <= PLAIN_MAX && memchr(body.ptr, '\n', body.len) == NULL)
        carry(m, l, WW_STR("body"), ww_word(&m->normal, ww_str_trim(body)), false);
}

void ww_carry_request(struct model *m, const struct ww_exchange *x, struct look *l)
{
    ww_str type = ww_fields_get(&x->request_fields, WW_STR("content-type"));
    ww_str body = x->request_body.bytes;

    if (ww_str_find_nocase(type, WW_STR("multipart/form-data")) >= 0) {
        carry_parts(m, l, type, body);
    } else if (ww_str_find_nocase(type, WW_STR("x-www-form-urlencoded")) >= 0 &&
               ww_str_find(body, WW_STR("=")) >= 0) {
        carry_form(m, l, "form ", body);
    } else if (body.len > 0) {
        uint32_t view = ww_view_of(&m->normal, &x->request_fields, &x->request_body, true);
        if (view != WW_NONE && m->normal.view[view].kind == VIEW_JSON) {
            carry_view(m, l, "", view, CARRIED_MAX);
        } else if (type.len == 0 || ww_str_find_nocase(type, WW_STR("text/plain")) >= 0 ||
                   ww_str_find_nocase(type, WW_STR("x-www-form")) >= 0) {
            carry_plain(m, l, body);
        }
    }
    carry_form(m, l, "query ", ww_query_of(x->target));
}

/* The path of what a write created: its Location; of a PUT its own (RFC 9110 9.3.4: then it is
 * 201); or its own and the id in the answer. */
static void carry_place(struct model *m, const struct ww_exchange *x, struct look *l)
{
    ww_str location = ww_fields_get(&x->response_fields, WW_STR("location"));

    if (x->status < 200 || x->status > 202)
        return;
    location = ww_without_origin(location);
    if (x->status != 200 && ww_str_starts(location, WW_STR("/"))) {
        carry(m, l, WW_STR("Location"), ww_word(&m->normal, location), true);
        return;
    }
    if (x->status == 201 && ww_str_eq(x->method, WW_STR("PUT"))) {
        carry(m, l, WW_STR("path"), l->path, true);
        return;
    }
    if (l->view == WW_NONE || !ww_str_eq(x->method, WW_STR("POST")))
        return;
    for (uint32_t i = 0; i < m->normal.view[l->view].leaves; i++) {
        struct leaf leaf = m->normal.view[l->view].leaf[i];
        ww_str path = ww_exchange_path(x);
        if (!ww_str_eq(ww_word_text(&m->normal, leaf.path), WW_STR("/id")))
            continue;
        ww_str made = ww_arena_printf(&m->normal.arena, "%.*s%s" WW_STRF, (int)path.len,
                                      path.ptr, ww_str_ends(path, WW_STR("/")) ? "" : "/",
                                      WW_STRV(ww_word_text(&m->normal, leaf.value)));
        carry(m, l, WW_STR("id"), ww_word(&m->normal, made), true);
    }
}

void ww_carry_answer(struct model *m, const struct ww_exchange *x, struct look *l)
{
    if (l->view != WW_NONE)
        carry_view(m, l, "answer ", l->view, ANSWER_MAX);
    carry_place(m, x, l);
}

/* ---- how it went */

static bool says_how_it_went(ww_str path)
{
    static const char *const key[] = { "status", "result", "success", "ok",
                                       "error",  "code",   "state" };

    for (size_t i = 0; i < sizeof key / sizeof *key; i++) {
        if (ww_str_ends(path, ww_str_c(key[i])))
            return true;
    }
    return false;
}

static bool is_fixed_word(ww_str value)
{
    return ww_str_eq(value, WW_STR("true")) || ww_str_eq(value, WW_STR("false")) ||
           ww_str_eq(value, WW_STR("null"));
}

static void add_json_shape(const struct model *m, struct ww_buf *b, const struct view *v)
{
    for (uint32_t i = 0; i < v->leaves; i++) {
        ww_str path = ww_word_text(&m->normal, v->leaf[i].path);
        ww_str value = ww_word_text(&m->normal, v->leaf[i].value);
        if (i > 0 && v->leaf[i].path == v->leaf[i - 1].path)
            continue;
        ww_add2(b, "\n", path);
        if (is_fixed_word(value) || says_how_it_went(path))
            ww_add2(b, "=", value);
    }
}

/* A short text: its words, but for numbers and what the request had brought along. */
static void add_text_shape(const struct model *m, struct ww_buf *b, const struct view *v,
                           const struct look *l)
{
    for (uint32_t i = 0; i < v->leaves && v->leaves <= SHAPE_WORDS; i++) {
        const struct word *w = &m->normal.word[v->leaf[i].value];
        bool brought = w->is_number || w->volatile_value;
        for (size_t k = 0; k < l->carrieds && !brought; k++) {
            brought = m->carried[l->carried + k].value == v->leaf[i].value;
        }
        if (!brought)
            ww_add2(b, "\n", w->text);
    }
}

/* Status, members, and the words that tell a success from a polite refusal. */
uint32_t ww_shape_of(struct model *m, const struct ww_exchange *x, const struct look *l)
{
    struct ww_buf *b = ww_scratch(m);

    ww_buf_printf(b, "shape %u", x->status);
    if (l->view != WW_NONE && m->normal.view[l->view].kind == VIEW_JSON) {
        add_json_shape(m, b, &m->normal.view[l->view]);
    } else if (l->view != WW_NONE) {
        add_text_shape(m, b, &m->normal.view[l->view], l);
    }
    return ww_scratch_word(m);
}
