/* XML: what is written is read back by another library; misuse aborts. */
#include "check.h"

#include <whichworker/xml.h>

#include <expat.h>
#include <stdlib.h>

/* What expat saw of a document: the last attribute, and all text. */
struct seen {
    struct ww_buf attribute;
    struct ww_buf text;
};

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attribute)
{
    struct seen *s = ctx;

    (void)name;
    for (size_t i = 0; attribute[i] != NULL; i += 2) {
        ww_buf_clear(&s->attribute);
        ww_buf_add_c(&s->attribute, attribute[i + 1]);
    }
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int len)
{
    ww_buf_add(&((struct seen *)ctx)->text, ww_str_n(text, (size_t)len));
}

static void read_back(const struct ww_buf *b, struct seen *out)
{
    XML_Parser p = XML_ParserCreate(NULL);

    ww_buf_init(&out->attribute, SIZE_MAX);
    ww_buf_init(&out->text, SIZE_MAX);
    XML_SetUserData(p, out);
    XML_SetStartElementHandler(p, on_start);
    XML_SetCharacterDataHandler(p, on_text);
    if (XML_Parse(p, b->ptr, (int)b->len, 1) != XML_STATUS_OK)
        fail_msg("%s in: " WW_STRF, XML_ErrorString(XML_GetErrorCode(p)),
                 WW_STRV(ww_buf_str(b)));
    XML_ParserFree(p);
}

static void release(struct seen *s)
{
    ww_buf_release(&s->attribute);
    ww_buf_release(&s->text);
}

static void elements_stand_on_lines_of_their_own(void **state)
{
    struct ww_buf b;
    struct ww_xml x;

    (void)state;
    ww_buf_init(&b, SIZE_MAX);
    ww_xml_init(&x, &b);
    ww_xml_open(&x, "a");
    ww_xml_attr(&x, "n", WW_STR("1 < 2"));
    ww_xml_attr(&x, "absent", (ww_str){ 0 });
    ww_xml_attr(&x, "empty", WW_STR(""));
    ww_xml_attr_int(&x, "i", -3);
    ww_xml_open(&x, "b");
    ww_xml_text(&x, WW_STR("x & "));
    ww_xml_text(&x, WW_STR("y"));
    ww_xml_close(&x);
    ww_xml_open(&x, "c");
    ww_xml_text(&x, WW_STR(""));
    ww_xml_close(&x);
    ww_xml_close(&x);
    ww_xml_finish(&x);
    assert_slice(ww_buf_str(&b), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                                 "<a n=\"1 &lt; 2\" empty=\"\" i=\"-3\">\n"
                                 "  <b>x &amp; y</b>\n"
                                 "  <c/>\n"
                                 "</a>\n");
    ww_buf_release(&b);
}

static void nothing_is_added_to_text(void **state)
{
    struct ww_buf b;
    struct ww_xml x;
    struct seen seen;

    (void)state;
    ww_buf_init(&b, SIZE_MAX);
    ww_xml_init(&x, &b);
    ww_xml_open(&x, "a");
    ww_xml_text(&x, WW_STR("one "));
    ww_xml_open(&x, "b");
    ww_xml_close(&x);
    ww_xml_text(&x, WW_STR(" two"));
    ww_xml_close(&x);
    ww_xml_finish(&x);
    read_back(&b, &seen);
    assert_slice(ww_buf_str(&seen.text), "one  two");
    release(&seen);
    ww_buf_release(&b);
}

/* Writes s as an attribute and as text, and reads both back. */
static void comes_back_as(ww_str s, ww_str want)
{
    struct ww_buf b;
    struct ww_xml x;
    struct seen seen;

    ww_buf_init(&b, SIZE_MAX);
    ww_xml_init(&x, &b);
    ww_xml_open(&x, "a");
    ww_xml_attr(&x, "v", s);
    ww_xml_text(&x, s);
    ww_xml_close(&x);
    ww_xml_finish(&x);
    read_back(&b, &seen);
    assert_int_equal(seen.attribute.len, want.len);
    assert_memory_equal(ww_buf_str(&seen.attribute).ptr, want.ptr, want.len);
    assert_int_equal(seen.text.len, want.len);
    assert_memory_equal(ww_buf_str(&seen.text).ptr, want.ptr, want.len);
    for (size_t i = 0; i < b.len; i++)
        assert_true((unsigned char)b.ptr[i] >= 0x20 || b.ptr[i] == '\n' || b.ptr[i] == '\t');
    release(&seen);
    ww_buf_release(&b);
}

struct string_case {
    ww_str in;
    ww_str want;
};

static void string_comes_back(void **state)
{
    const struct string_case *c = *state;

    comes_back_as(c->in, c->want);
}

/* XML 1.0 2.2, said once more and otherwise. */
static bool is_xml(const char *c, size_t n)
{
    if (n == 1)
        return (unsigned char)*c >= 0x20 || *c == '\t' || *c == '\n' || *c == '\r';
    return n != 3 || (memcmp(c, "\xef\xbf\xbe", 3) != 0 && memcmp(c, "\xef\xbf\xbf", 3) != 0);
}

static void any_bytes_come_back_or_are_replaced(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 65536; n++) {
        char in[] = { (char)(n >> 8), (char)(n & 255), 'z' };
        char want[16];
        size_t len = 0;

        for (size_t i = 0; i < sizeof(in);) {
            size_t bytes = ww_utf8_len(ww_str_n(in + i, sizeof(in) - i));
            bool keep = bytes > 0 && is_xml(in + i, bytes);

            memcpy(want + len, keep ? in + i : "\xef\xbf\xbd", keep ? bytes : 3);
            len += keep ? bytes : 3;
            i += bytes == 0 ? 1 : bytes;
        }
        comes_back_as(ww_str_n(in, sizeof(in)), ww_str_n(want, len));
    }
}

/* In the document itself, whoever shows it. */
static void what_deceives_is_a_reference(void **state)
{
    struct ww_buf b;
    struct ww_xml x;

    (void)state;
    ww_buf_init(&b, SIZE_MAX);
    ww_xml_init(&x, &b);
    ww_xml_open(&x, "a");
    ww_xml_text(&x, WW_STR("\xe2\x80\xae\xc2\x9b\x7f\r]]>"));
    ww_xml_close(&x);
    ww_xml_finish(&x);
    assert_non_null(strstr(b.ptr, "<a>&#x202E;&#x9B;&#x7F;&#xD;]]&gt;</a>"));
    ww_buf_release(&b);
}

static void a_full_buffer_is_marked_and_writing_goes_on_harmlessly(void **state)
{
    struct ww_buf b;
    struct ww_xml x;

    (void)state;
    ww_buf_init(&b, 50);
    ww_xml_init(&x, &b);
    ww_xml_open(&x, "element");
    ww_xml_attr(&x, "a", WW_STR("a long value"));
    ww_xml_text(&x, WW_STR("text"));
    ww_xml_close(&x);
    ww_xml_finish(&x);
    assert_true(b.full);
    ww_buf_release(&b);
}

/* ---- misuse */

#define WITH_WRITER(name_, ...)                                                                \
    static void name_(void)                                                                    \
    {                                                                                          \
        struct ww_buf b;                                                                       \
        struct ww_xml x;                                                                       \
                                                                                               \
        ww_buf_init(&b, SIZE_MAX);                                                             \
        ww_xml_init(&x, &b);                                                                   \
        __VA_ARGS__;                                                                           \
    }

WITH_WRITER(two_roots, ww_xml_open(&x, "a"); ww_xml_close(&x); ww_xml_open(&x, "b"))
WITH_WRITER(late_attribute, ww_xml_open(&x, "a"); ww_xml_text(&x, WW_STR("t"));
            ww_xml_attr(&x, "b", WW_STR("")))
WITH_WRITER(attribute_of_nothing, ww_xml_attr_int(&x, "b", 1))
WITH_WRITER(text_outside, ww_xml_text(&x, WW_STR("t")))
WITH_WRITER(close_without_open, ww_xml_close(&x))
WITH_WRITER(finish_while_open, ww_xml_open(&x, "a"); ww_xml_finish(&x))
WITH_WRITER(finish_without_root, ww_xml_finish(&x))
WITH_WRITER(too_deep, for (int i = 0; i <= WW_XML_DEPTH; i++) ww_xml_open(&x, "a"))
WITH_WRITER(deep_enough, for (int i = 0; i < WW_XML_DEPTH; i++) ww_xml_open(&x, "a"))

static void misuse_aborts(void **state)
{
    (void)state;
    assert_true(aborts(two_roots));
    assert_true(aborts(late_attribute));
    assert_true(aborts(attribute_of_nothing));
    assert_true(aborts(text_outside));
    assert_true(aborts(close_without_open));
    assert_true(aborts(finish_while_open));
    assert_true(aborts(finish_without_root));
    assert_true(aborts(too_deep));
    assert_false(aborts(deep_enough));
}

#define STRING(name_, in_, want_)                                                              \
    {                                                                                          \
        .name = "string: " name_, .test_func = string_comes_back,                              \
        .initial_state = &(struct string_case)                                                 \
        {                                                                                      \
            { in_, sizeof(in_) - 1 },                                                          \
            {                                                                                  \
                want_, sizeof(want_) - 1                                                       \
            }                                                                                  \
        }                                                                                      \
    }
#define SAME(name_, in_) STRING(name_, in_, in_)
#define FFFD             "\xef\xbf\xbd"

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(elements_stand_on_lines_of_their_own),
    cmocka_unit_test(nothing_is_added_to_text),
    SAME("quotes and markup", "\"'<b>&amp;]]><!--</script>"),
    SAME("blanks", " \t\n\r\r\n "),
    SAME("UTF-8 up to U+10FFFF", "\xc3\xbc\xe2\x80\xae\xf4\x8f\xbf\xbf"),
    STRING("control bytes are replaced", "\0\1\x1b", FFFD FFFD FFFD),
    STRING("a surrogate is replaced", "\xed\xa0\x80", FFFD FFFD FFFD),
    STRING("what is no character of XML is replaced", "\xef\xbf\xbe\xef\xbf\xbf", FFFD FFFD),
    STRING("a cut character does not eat the markup behind it", "\xf0\x9f", FFFD FFFD),
    cmocka_unit_test(any_bytes_come_back_or_are_replaced),
    cmocka_unit_test(what_deceives_is_a_reference),
    cmocka_unit_test(a_full_buffer_is_marked_and_writing_goes_on_harmlessly),
    cmocka_unit_test(misuse_aborts),
};

int main(void)
{
    return cmocka_run_group_tests_name("xml", tests, NULL, NULL);
}
