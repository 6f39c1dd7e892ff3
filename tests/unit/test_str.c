/* Slices: comparison, search, cutting, numbers, UTF-8. */
#include "check.h"

#define S(literal)                                                                             \
    {                                                                                          \
        "" literal, sizeof(literal) - 1                                                        \
    }

static const ww_str absent;

static void absent_differs_from_empty_but_both_have_no_bytes(void **state)
{
    assert_absent(ww_str_c(NULL));
    assert_slice(ww_str_c(""), "");
    assert_slice(WW_STR("abc"), "abc");
    assert_true(ww_str_eq(absent, WW_STR("")));
    assert_true(ww_str_eq_nocase(absent, WW_STR("")));
    assert_int_equal(ww_str_cmp(absent, WW_STR("")), 0);
}

static void equality_sees_every_byte_and_nocase_only_ascii_letters(void **state)
{
    assert_true(ww_str_eq(WW_STR("a\0b"), WW_STR("a\0b")));
    assert_false(ww_str_eq(WW_STR("a\0b"), WW_STR("a\0c")));
    assert_false(ww_str_eq(WW_STR("ab"), WW_STR("abc")));
    assert_false(ww_str_eq(WW_STR("ab"), WW_STR("aB")));
    assert_true(ww_str_eq_nocase(WW_STR("Content-Length"), WW_STR("cONTENT-lENGTH")));
    assert_false(ww_str_eq_nocase(WW_STR("[@"), WW_STR("{`")));
    assert_false(ww_str_eq_nocase(WW_STR("\xc4"), WW_STR("\xe4")));
    assert_false(ww_str_eq_nocase(WW_STR("ab"), WW_STR("abc")));
}

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static void order_is_by_unsigned_byte_and_the_shorter_is_first(void **state)
{
    static const ww_str rising[] = { S(""),   S("\0"), S("A"),    S("a"),    S("a\0"),
                                     S("ab"), S("b"),  S("\x7f"), S("\x80"), S("\xff") };

    for (size_t i = 0; i < COUNT(rising); i++)
        for (size_t k = 0; k < COUNT(rising); k++)
            assert_int_equal(sign(ww_str_cmp(rising[i], rising[k])), (i > k) - (i < k));
}

struct edge_case {
    ww_str s;
    ww_str part;
    bool starts;
    bool starts_nocase;
    bool ends;
    ptrdiff_t find;
    ptrdiff_t find_nocase;
};

static void edges_and_search(void **state)
{
    const struct edge_case *c = *state;

    assert_int_equal(ww_str_starts(c->s, c->part), c->starts);
    assert_int_equal(ww_str_starts_nocase(c->s, c->part), c->starts_nocase);
    assert_int_equal(ww_str_ends(c->s, c->part), c->ends);
    assert_int_equal(ww_str_find(c->s, c->part), c->find);
    assert_int_equal(ww_str_find_nocase(c->s, c->part), c->find_nocase);
}

static void from_and_upto_stay_inside(void **state)
{
    ww_str s = WW_STR("abc");

    assert_slice(ww_str_from(s, 0), "abc");
    assert_slice(ww_str_from(s, 2), "c");
    assert_slice(ww_str_from(s, 3), "");
    assert_ptr_equal(ww_str_from(s, 9).ptr, s.ptr + 3);
    assert_slice(ww_str_from(s, SIZE_MAX), "");
    assert_slice(ww_str_upto(s, 0), "");
    assert_slice(ww_str_upto(s, 2), "ab");
    assert_slice(ww_str_upto(s, SIZE_MAX), "abc");
    assert_absent(ww_str_from(absent, 1));
    assert_absent(ww_str_upto(absent, 1));
}

static void trim_takes_spaces_and_tabs_only(void **state)
{
    assert_slice(ww_str_trim(WW_STR(" \t a b\t ")), "a b");
    assert_slice(ww_str_trim(WW_STR("a")), "a");
    assert_slice(ww_str_trim(WW_STR(" \t ")), "");
    assert_slice(ww_str_trim(WW_STR("")), "");
    assert_slice(ww_str_trim(WW_STR("\r\na\v\0")), "\r\na\v\0");
    assert_absent(ww_str_trim(absent));
}

static void cut_gives_every_piece_and_then_stops(void **state)
{
    ww_str rest = WW_STR(";a;;b");
    ww_str piece = absent;

    assert_true(ww_str_cut(&rest, ';', &piece));
    assert_slice(piece, "");
    assert_true(ww_str_cut(&rest, ';', &piece));
    assert_slice(piece, "a");
    assert_slice(rest, ";b");
    assert_true(ww_str_cut(&rest, ';', &piece));
    assert_slice(piece, "");
    assert_true(ww_str_cut(&rest, ';', &piece));
    assert_slice(piece, "b");
    assert_absent(rest);
    assert_false(ww_str_cut(&rest, ';', &piece));
    assert_slice(piece, "b");
}

static void cut_of_empty_is_one_empty_piece_and_of_absent_none(void **state)
{
    ww_str rest = WW_STR("");
    ww_str piece = WW_STR("untouched");

    assert_true(ww_str_cut(&rest, ',', &piece));
    assert_slice(piece, "");
    assert_absent(rest);

    piece = WW_STR("untouched");
    assert_false(ww_str_cut(&rest, ',', &piece));
    assert_slice(piece, "untouched");
    assert_absent(rest);
}

static void cut_after_a_last_separator_leaves_empty_not_absent(void **state)
{
    ww_str rest = WW_STR("a,");
    ww_str piece = absent;

    assert_true(ww_str_cut(&rest, ',', &piece));
    assert_slice(piece, "a");
    assert_slice(rest, "");
    assert_true(ww_str_cut(&rest, ',', &piece));
    assert_slice(piece, "");
    assert_absent(rest);
}

struct pair_case {
    ww_str cookies;
    ww_str want;
    ww_str value; /* ptr NULL: not there, or there without a '=' */
};

static ww_str value_of(ww_str rest, ww_str want)
{
    ww_str pair;
    ww_str name;

    while (ww_str_cut(&rest, ';', &pair))
        if (ww_str_cut(&pair, '=', &name) && ww_str_eq(ww_str_trim(name), want))
            return ww_str_trim(pair);
    return absent;
}

static void pair_is_found(void **state)
{
    const struct pair_case *c = *state;
    ww_str value = value_of(c->cookies, c->want);

    assert_int_equal(value.ptr == NULL, c->value.ptr == NULL);
    assert_true(ww_str_eq(value, c->value));
}

struct number_case {
    ww_str text;
    bool ok;
    uint64_t value;
};

static void number_reads(void **state)
{
    const struct number_case *c = *state;
    uint64_t value = 77;

    assert_int_equal(ww_str_u64(c->text, &value), c->ok);
    assert_true(value == (c->ok ? c->value : 77));
}

struct utf8_case {
    ww_str text;
    size_t len;
};

static void utf8_has_length(void **state)
{
    const struct utf8_case *c = *state;

    assert_int_equal(ww_utf8_len(c->text), c->len);
}

static size_t encode(uint32_t point, char out[4])
{
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

    for (size_t i = len; i-- > 1; point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(lead[len] | point);
    return len;
}

static void a_code_point_comes_out_as_it_went_in(void **state)
{
    (void)state;
    for (uint32_t p = 0; p < 0x110000; p++) {
        char bytes[4];
        size_t n = encode(p, bytes);

        if (p >= 0xd800 && p < 0xe000)
            continue;
        assert_int_equal(ww_utf8_len(ww_str_n(bytes, n)), n);
        assert_int_equal(ww_utf8_point(bytes, n), p);
    }
}

static void what_deceives_is_known(void **state)
{
    static const uint32_t bad[] = { 0,      0x1b,   0x7f,   0x85,   0x61c,  0x200b, 0x200e,
                                    0x2028, 0x202e, 0x2066, 0x2069, 0xfeff, 0xfffa, 0xe0041 };
    static const uint32_t good[] = { ' ',    '~',    0xa0,    0xfc,    0x200c,
                                     0x200d, 0x20ac, 0x1f600, 0x10ffff };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_true(ww_utf8_deceives(bad[i]));
    for (size_t i = 0; i < COUNT(good); i++)
        assert_false(ww_utf8_deceives(good[i]));
}

static void utf8_takes_all_of_unicode_and_no_surrogate(void **state)
{
    for (uint32_t point = 0; point < 0x120000; point++) {
        char bytes[4];
        size_t len = encode(point, bytes);
        bool legal = point < 0x110000 && (point < 0xd800 || point > 0xdfff);

        assert_int_equal(ww_utf8_len(ww_str_n(bytes, len)), legal ? len : 0);
        if (len > 1)
            assert_int_equal(ww_utf8_len(ww_str_n(bytes, len - 1)), 0);
    }
}

/* clang-format off */
#define EDGE(name_, s_, part_, starts_, nocase_, ends_, find_, find_nocase_)                  \
    { .name = "edges: " name_, .test_func = edges_and_search, .initial_state =                \
      &(struct edge_case){ s_, part_, starts_, nocase_, ends_, find_, find_nocase_ } }
#define PAIR(name_, cookies_, want_, value_)                                                   \
    { .name = "cut: " name_, .test_func = pair_is_found,                                       \
      .initial_state = &(struct pair_case){ S(cookies_), S(want_), value_ } }
#define NUMBER(text_, value_)                                                                  \
    { .name = "number '" text_ "' is read", .test_func = number_reads,                         \
      .initial_state = &(struct number_case){ S(text_), true, value_ } }
#define NO_NUMBER(name_, text_)                                                                \
    { .name = name_ " is no number", .test_func = number_reads,                                \
      .initial_state = &(struct number_case){ text_, false, 0 } }
#define UTF8(name_, text_, len_)                                                               \
    { .name = "UTF-8: " name_, .test_func = utf8_has_length,                                   \
      .initial_state = &(struct utf8_case){ text_, len_ } }

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(absent_differs_from_empty_but_both_have_no_bytes),
    cmocka_unit_test(equality_sees_every_byte_and_nocase_only_ascii_letters),
    cmocka_unit_test(order_is_by_unsigned_byte_and_the_shorter_is_first),
    EDGE("the whole", S("abc"), S("abc"), true, true, true, 0, 0),
    EDGE("the front", S("abc"), S("ab"), true, true, false, 0, 0),
    EDGE("the back", S("abc"), S("bc"), false, false, true, 1, 1),
    EDGE("another case", S("xAbC"), S("aBc"), false, false, false, -1, 1),
    EDGE("the front in another case", S("Bearer x"), S("bearer"), false, true, false, -1, 0),
    EDGE("longer than all", S("abc"), S("abcd"), false, false, false, -1, -1),
    EDGE("a false start before it", S("aaab"), S("aab"), false, false, true, 1, 1),
    EDGE("the first of several", S("xaa"), S("a"), false, false, true, 1, 1),
    EDGE("a NUL inside", S("a\0b"), S("\0b"), false, false, true, 1, 1),
    EDGE("empty in some", S("abc"), S(""), true, true, true, 0, 0),
    EDGE("empty in empty", S(""), S(""), true, true, true, 0, 0),
    EDGE("some in empty", S(""), S("a"), false, false, false, -1, -1),
    EDGE("absent in some", S("abc"), { 0 }, true, true, true, 0, 0),
    EDGE("absent in absent", { 0 }, { 0 }, true, true, true, 0, 0),
    EDGE("some in absent", { 0 }, S("a"), false, false, false, -1, -1),
    cmocka_unit_test(from_and_upto_stay_inside),
    cmocka_unit_test(trim_takes_spaces_and_tabs_only),
    cmocka_unit_test(cut_gives_every_piece_and_then_stops),
    cmocka_unit_test(cut_of_empty_is_one_empty_piece_and_of_absent_none),
    cmocka_unit_test(cut_after_a_last_separator_leaves_empty_not_absent),
    PAIR("a pair among others", "a=1; sid = xyz ;b=2", "sid", S("xyz")),
    PAIR("the first of two wins", "a=1; a=2", "a", S("1")),
    PAIR("an empty value is present", "a=; b=2", "a", S("")),
    PAIR("a name without '=' has no value", "a; b=2", "a", { 0 }),
    PAIR("only the first '=' separates", "a=b=c", "a", S("b=c")),
    PAIR("an empty name", "=v", "", S("v")),
    PAIR("a name that is not there", "aa=1; ba=2", "a", { 0 }),
    PAIR("nothing at all", "", "a", { 0 }),
    NUMBER("0", 0), NUMBER("000000000000000007", 7), NUMBER("42", 42),
    NUMBER("9223372036854775808", UINT64_C(9223372036854775808)),
    NUMBER("9999999999999999999", UINT64_C(9999999999999999999)),
    NO_NUMBER("20 digits", S("10000000000000000000")),
    NO_NUMBER("20 digits, most of them zeros", S("00000000000000000001")),
    NO_NUMBER("2^64", S("18446744073709551616")), NO_NUMBER("empty", S("")),
    NO_NUMBER("absent", { 0 }), NO_NUMBER("a sign", S("+1")), NO_NUMBER("minus", S("-1")),
    NO_NUMBER("a space before", S(" 1")), NO_NUMBER("a space behind", S("1 ")),
    NO_NUMBER("a NUL behind", S("1\0")), NO_NUMBER("hex", S("0x1")), NO_NUMBER("1:", S("1:")),
    NO_NUMBER("1/", S("1/")),
    UTF8("nothing", S(""), 0), UTF8("absent", { 0 }, 0), UTF8("NUL", S("\0"), 1),
    UTF8("DEL", S("\x7f"), 1), UTF8("only the first counts", S("a\xff"), 1),
    UTF8("overlong NUL", S("\xc0\x80"), 0), UTF8("overlong slash", S("\xc0\xaf"), 0),
    UTF8("overlong U+7F", S("\xc1\xbf"), 0), UTF8("overlong U+7FF", S("\xe0\x9f\xbf"), 0),
    UTF8("overlong U+FFFF", S("\xf0\x8f\xbf\xbf"), 0),
    UTF8("first surrogate", S("\xed\xa0\x80"), 0), UTF8("last surrogate", S("\xed\xbf\xbf"), 0),
    UTF8("before the surrogates", S("\xed\x9f\xbf"), 3), UTF8("U+FFFF", S("\xef\xbf\xbf"), 3),
    UTF8("U+10FFFF", S("\xf4\x8f\xbf\xbf"), 4), UTF8("U+110000", S("\xf4\x90\x80\x80"), 0),
    UTF8("five bytes", S("\xf8\x88\x80\x80\x80"), 0), UTF8("FE", S("\xfe"), 0),
    UTF8("a lone continuation", S("\x80"), 0), UTF8("two bytes cut", S("\xc3"), 0),
    UTF8("three bytes cut", S("\xe2\x82"), 0), UTF8("four bytes cut", S("\xf0\x9f\x98"), 0),
    UTF8("a letter inside", S("\xe2\x41\xac"), 0), UTF8("a lead inside", S("\xe2\x82\xc3"), 0),
    cmocka_unit_test(utf8_takes_all_of_unicode_and_no_surrogate),
    cmocka_unit_test(a_code_point_comes_out_as_it_went_in),
    cmocka_unit_test(what_deceives_is_known),
};
/* clang-format on */

int main(void)
{
    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
