/* http: field lines in the order they were sent: add, find, split lists, to text and back. */
#include <whichworker/http.h>

#define FIRST_CAP 16

static bool make_room(struct ww_fields *f, struct ww_arena *a)
{
    if (f->n < f->cap)
        return true;
    size_t cap = f->cap == 0 ? FIRST_CAP : f->cap * 2;
    struct ww_field *v = ww_arena_try(a, cap * sizeof(*v));
    if (v == NULL)
        return false;
    if (f->n > 0)
        memcpy(v, f->v, f->n * sizeof(*v));
    f->v = v;
    f->cap = cap;
    return true;
}

bool ww_fields_add(struct ww_fields *f, struct ww_arena *a, ww_str name, ww_str value)
{
    if (!make_room(f, a))
        return false;
    f->v[f->n++] = (struct ww_field){ .name = name, .value = value };
    return true;
}

ww_str ww_fields_get(const struct ww_fields *f, ww_str name)
{
    for (size_t i = 0; i < f->n; i++) {
        if (ww_str_eq_nocase(f->v[i].name, name))
            return f->v[i].value;
    }
    return (ww_str){ 0 };
}

size_t ww_fields_count(const struct ww_fields *f, ww_str name)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++) {
        if (ww_str_eq_nocase(f->v[i].name, name))
            n++;
    }
    return n;
}

/* Where the list member at the front of s ends: at a comma that stands in no quoted string. */
static size_t member_len(ww_str s)
{
    bool quoted = false;
    size_t i = 0;

    for (; i < s.len && (quoted || s.ptr[i] != ','); i++) {
        if (s.ptr[i] == '"') {
            quoted = !quoted;
        } else if (quoted && s.ptr[i] == '\\' && i + 1 < s.len) {
            i++;
        }
    }
    return i;
}

static bool list_has(ww_str list, ww_str token)
{
    while (list.len > 0) {
        size_t len = member_len(list);
        if (ww_str_eq_nocase(ww_str_trim(ww_str_upto(list, len)), token))
            return true;
        list = ww_str_from(list, len + 1);
    }
    return false;
}

bool ww_fields_has_token(const struct ww_fields *f, ww_str name, ww_str token)
{
    for (size_t i = 0; i < f->n; i++) {
        if (ww_str_eq_nocase(f->v[i].name, name) && list_has(f->v[i].value, token))
            return true;
    }
    return false;
}

static char *put(char *at, ww_str s)
{
    if (s.len > 0)
        memcpy(at, s.ptr, s.len);
    return at + s.len;
}

/* Each exchange that is recorded passes here twice: room is asked for once a line. */
bool ww_fields_write(const struct ww_fields *f, struct ww_buf *out)
{
    for (size_t i = 0; i < f->n; i++) {
        ww_str name = f->v[i].name;
        ww_str value = f->v[i].value;
        char *line = ww_buf_room(out, name.len + value.len + 3);
        if (line == NULL)
            return false;
        line = put(line, name);
        line = put(line, WW_STR(": "));
        line = put(line, value);
        *line = '\n';
        out->len += name.len + value.len + 3;
    }
    return !out->full;
}

void ww_fields_read(struct ww_fields *f, struct ww_arena *a, ww_str text)
{
    ww_str line;

    while (ww_str_cut(&text, '\n', &line)) {
        ptrdiff_t colon = ww_str_find(line, WW_STR(": "));
        if (colon <= 0)
            continue;
        if (!ww_fields_add(f, a, ww_str_upto(line, (size_t)colon),
                           ww_str_from(line, (size_t)colon + 2)))
            return;
    }
}
