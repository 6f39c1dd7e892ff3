/* judge: a JSON body to a view: each scalar with the path of its members. */
#include "build.h"
#include "scan.h"

#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 48 /* nesting of JSON that is looked at */

/* The rest of a value that begins with `event`; false where it is no JSON. */
static bool skip_value(struct scan *s, enum scan_event event)
{
    size_t depth = 0;
    ww_str text;

    for (;; event = scan_next(s, &text)) {
        if (event == SCAN_WRONG || event == SCAN_END)
            return false;
        if (event == SCAN_OBJECT || event == SCAN_ARRAY)
            depth++;
        if (event == SCAN_OBJECT_END || event == SCAN_ARRAY_END)
            depth--;
        if (depth == 0)
            return true;
    }
}

/* What goes on below is under this name. False where it is too deep or too long to look at. */
static bool go_down(struct build *b, ww_str name)
{
    if (b->path.len + name.len + 1 > PATH_BYTES || b->depth >= DEPTH_MAX) {
        b->view.cut = true;
        return false;
    }
    if (b->path.len == 1)
        ww_buf_clear(&b->path);
    ww_buf_add_char(&b->path, '/');
    ww_buf_add(&b->path, name);
    b->depth++;
    return true;
}

static bool add_value(struct build *b, struct scan *s, enum scan_event event, ww_str text);

static bool add_below(struct build *b, struct scan *s, size_t path, bool down,
                      enum scan_event event, ww_str text)
{
    bool is_json = down ? add_value(b, s, event, text) : skip_value(s, event);

    b->depth -= down;
    b->path.len = path;
    return is_json;
}

static bool add_object(struct build *b, struct scan *s)
{
    enum scan_event event;
    ww_str text = { 0 };

    while ((event = scan_next(s, &text)) == SCAN_KEY) {
        size_t path = b->path.len;

        ww_build_name(b, text);
        bool down = go_down(b, text);
        event = scan_next(s, &text); /* the name is gone now */
        if (!add_below(b, s, path, down, event, text))
            return false;
    }
    return event == SCAN_OBJECT_END;
}

static bool add_array(struct build *b, struct scan *s)
{
    enum scan_event event;
    ww_str text = { 0 };

    while ((event = scan_next(s, &text)) != SCAN_ARRAY_END) {
        size_t path = b->path.len;

        if (event == SCAN_WRONG || !add_below(b, s, path, go_down(b, WW_STR("*")), event, text))
            return false;
    }
    return true;
}

static void add_real(struct build *b, ww_str text)
{
    char number[SCAN_NUMBER_MAX + 1];
    char plain[40];

    memcpy(number, text.ptr, text.len);
    number[text.len] = '\0';
    double real = strtod(number, NULL);
    int len = real > -1e15 && real < 1e15 && real == (double)(int64_t)real
                  ? snprintf(plain, sizeof plain, "%lld", (long long)real)
                  : snprintf(plain, sizeof plain, "%.15g", real);

    ww_build_leaf(b, ww_buf_str(&b->path), ww_str_n(plain, (size_t)len));
}

static bool add_value(struct build *b, struct scan *s, enum scan_event event, ww_str text)
{
    ww_str path = ww_buf_str(&b->path);

    switch (event) {
    case SCAN_OBJECT:
        return add_object(b, s);
    case SCAN_ARRAY:
        return add_array(b, s);
    case SCAN_STRING:
        ww_build_leaf(b, path, text);
        ww_build_break(b);
        return true;
    case SCAN_INTEGER:
        ww_build_leaf(b, path, ww_str_eq(text, WW_STR("-0")) ? WW_STR("0") : text);
        return true;
    case SCAN_REAL:
        add_real(b, text);
        return true;
    case SCAN_TRUE:
        ww_build_leaf(b, path, WW_STR("true"));
        return true;
    case SCAN_FALSE:
        ww_build_leaf(b, path, WW_STR("false"));
        return true;
    case SCAN_NULL:
        ww_build_leaf(b, path, WW_STR("null"));
        return true;
    case SCAN_WRONG:
    case SCAN_OBJECT_END:
    case SCAN_ARRAY_END:
    case SCAN_KEY:
    case SCAN_END:
        return false;
    }
    return false;
}

bool ww_build_json(struct build *b, ww_str text)
{
    struct scan s;
    ww_str first = { 0 };

    scan_init(&s, text);
    b->view.kind = VIEW_JSON;
    ww_buf_add_char(&b->path, '/');
    enum scan_event event = scan_next(&s, &first);
    bool is_json = add_value(b, &s, event, first) && scan_next(&s, &first) == SCAN_END;
    scan_release(&s);
    return is_json;
}
