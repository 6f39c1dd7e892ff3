/* Content codings are undone within the limit; what is cut or unknown is said to be so. */
#include <whichworker/http.h>

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define TEXT "Audi, BMW, Citroen; Audi, BMW, Citroen\n"
#define GZIP 31
#define ZLIB 15
#define RAW  (-15)

/* clang-format off */
static const unsigned char brotli_text[] = {
    0x1b, 0x26, 0x00, 0xf8, 0x8d, 0x94, 0xab, 0x13, 0xeb, 0xde, 0x37, 0xf6, 0xad, 0x6d, 0x3c, 0x0b,
    0xdb, 0x36, 0x0e, 0xc3, 0xa1, 0x44, 0x80, 0x94, 0x22, 0x52, 0xc5, 0x08, 0x37, 0x7f, 0x14, 0x8a,
    0x39, 0x6a, 0xdd, 0x4e, 0x36, 0x31, 0x00 };
static const unsigned char brotli_bomb[] = { /* 64 MiB of zeros */
    0xcb, 0xff, 0xff, 0x3f, 0xf8, 0x27, 0x00, 0xe2, 0xb1, 0x40, 0x20, 0xf7, 0xfe, 0x8f, 0xff, 0xff,
    0x7f, 0xf0, 0x4f, 0x00, 0xc4, 0x61, 0x11, 0x80, 0xee, 0xfd, 0x1f, 0xff, 0xff, 0xff, 0xe0, 0x9f,
    0x00, 0x88, 0xc3, 0x02, 0x00, 0xdd, 0xfb, 0x3f, 0xfe, 0xff, 0xff, 0xc1, 0x3f, 0x01, 0x10, 0x87,
    0x05, 0x00, 0xba, 0xf7, 0x7f, 0xfc, 0xff, 0xff, 0x83, 0x7f, 0x02, 0x20, 0x0e, 0x0b, 0x00, 0x74,
    0xef, 0xff, 0xf8, 0xff, 0xff, 0x07, 0xff, 0x04, 0x40, 0x1c, 0x16, 0x00, 0xe8, 0xde, 0xff, 0xf1,
    0xff, 0xff, 0x0f, 0xfe, 0x09, 0x80, 0x38, 0x2c, 0x00, 0xd0, 0xbd, 0xff, 0xcb, 0xff, 0xff, 0x3f,
    0xfc, 0x13, 0x00, 0x71, 0x58, 0x00, 0xa0, 0x7b, 0xff, 0x07 };
/* clang-format on */

/* Appends to packed; window as deflateInit2 wants it. */
static void pack(int window, ww_str plain, struct ww_buf *packed)
{
    z_stream z = { 0 };

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, plain.len) + 64;
    z.next_out = (Bytef *)ww_buf_room(packed, room);
    z.avail_out = (uInt)room;
    z.next_in = (z_const Bytef *)plain.ptr;
    z.avail_in = (uInt)plain.len;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    packed->len += z.total_out;
    deflateEnd(&z);
}

static void pack_zstd(ww_str plain, struct ww_buf *packed)
{
    size_t room = ZSTD_compressBound(plain.len);
    size_t n = ZSTD_compress(ww_buf_room(packed, room), room, plain.ptr, plain.len, 3);

    assert_false(ZSTD_isError(n));
    packed->len += n;
}

struct box {
    struct ww_buf packed;
    struct ww_buf out;
};

static int open_box(void **state)
{
    struct box *b = calloc(1, sizeof(*b));

    ww_buf_init(&b->packed, 32 << 20);
    ww_buf_init(&b->out, 65536);
    *state = b;
    return 0;
}

static int close_box(void **state)
{
    struct box *b = *state;

    ww_buf_release(&b->packed);
    ww_buf_release(&b->out);
    free(b);
    return 0;
}

static enum ww_decoded undo(struct box *b, const char *encoding)
{
    return ww_content_decode(ww_str_c(encoding), ww_buf_str(&b->packed), &b->out);
}

static void assert_text(struct box *b)
{
    assert_int_equal(b->out.len, strlen(TEXT));
    assert_memory_equal(b->out.ptr, TEXT, b->out.len);
}

/* Whole, then cut at every byte: a beginning, never more and never a crash. */
static void check_coding(struct box *b, const char *encoding)
{
    assert_int_equal(undo(b, encoding), WW_DECODED);
    assert_text(b);
    for (size_t n = 1; n < b->packed.len; n++) {
        ww_buf_clear(&b->out);
        enum ww_decoded r = ww_content_decode(ww_str_c(encoding),
                                              ww_str_upto(ww_buf_str(&b->packed), n), &b->out);
        assert_int_equal(r, WW_DECODED_CUT);
        assert_true(b->out.len <= strlen(TEXT));
        if (b->out.len > 0)
            assert_memory_equal(b->out.ptr, TEXT, b->out.len);
    }
}

static void gzip_is_undone(void **state)
{
    struct box *b = *state;

    pack(GZIP, WW_STR(TEXT), &b->packed);
    check_coding(b, "gzip");
    ww_buf_clear(&b->out);
    assert_int_equal(undo(b, "X-GZip"), WW_DECODED);
    assert_text(b);
}

static void gzip_members_follow_each_other(void **state)
{
    struct box *b = *state;

    pack(GZIP, WW_STR("Audi, BMW, Citroen; "), &b->packed);
    pack(GZIP, WW_STR("Audi, BMW, Citroen\n"), &b->packed);
    assert_int_equal(undo(b, "gzip"), WW_DECODED);
    assert_text(b);
}

static void deflate_is_undone(void **state)
{
    struct box *b = *state;

    pack(ZLIB, WW_STR(TEXT), &b->packed);
    check_coding(b, "deflate");
}

static void deflate_without_its_wrapper_is_undone(void **state)
{
    struct box *b = *state;

    pack(RAW, WW_STR(TEXT), &b->packed);
    assert_int_equal(undo(b, "deflate"), WW_DECODED);
    assert_text(b);
}

static void brotli_is_undone(void **state)
{
    struct box *b = *state;

    ww_buf_add(&b->packed, ww_str_n((const char *)brotli_text, sizeof(brotli_text)));
    check_coding(b, "br");
}

static void zstd_is_undone(void **state)
{
    struct box *b = *state;

    pack_zstd(WW_STR(TEXT), &b->packed);
    check_coding(b, "zstd");
}

static void several_are_undone_from_the_last(void **state)
{
    struct box *b = *state;
    struct ww_buf between;

    ww_buf_init(&between, 65536);
    pack(GZIP, WW_STR(TEXT), &between);
    pack_zstd(ww_buf_str(&between), &b->packed);
    ww_buf_clear(&between);
    pack(ZLIB, ww_buf_str(&b->packed), &between);
    ww_buf_clear(&b->packed);
    ww_buf_add(&b->packed, ww_buf_str(&between));
    ww_buf_release(&between);

    assert_int_equal(undo(b, "gzip, zstd"), WW_DECODED_NOT);
    check_coding(b, "gzip, identity ,ZSTD,, deflate");
}

static void a_cut_inside_stays_a_cut(void **state)
{
    struct box *b = *state;
    struct ww_buf between;

    ww_buf_init(&between, 65536);
    pack(GZIP, WW_STR(TEXT), &between);
    pack_zstd(ww_str_upto(ww_buf_str(&between), between.len - 9), &b->packed);
    ww_buf_release(&between);
    assert_int_equal(undo(b, "gzip, zstd"), WW_DECODED_CUT);
}

static void identity_is_the_bytes(void **state)
{
    static const char *const same[] = { "identity", "", " , IDENTITY,", NULL };
    struct box *b = *state;

    ww_buf_add_c(&b->packed, TEXT);
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        ww_buf_clear(&b->out);
        assert_int_equal(undo(b, same[i]), WW_DECODED);
        assert_text(b);
    }
}

static void it_appends(void **state)
{
    struct box *b = *state;

    ww_buf_add_c(&b->out, "> ");
    pack(GZIP, WW_STR("text"), &b->packed);
    assert_int_equal(undo(b, "gzip"), WW_DECODED);
    assert_true(ww_str_eq(ww_buf_str(&b->out), WW_STR("> text")));
    assert_int_equal(undo(b, "unknown"), WW_DECODED_NOT);
    assert_true(ww_str_eq(ww_buf_str(&b->out), WW_STR("> text")));
}

static void no_bytes_are_no_text(void **state)
{
    struct box *b = *state;

    assert_int_equal(undo(b, "gzip, br"), WW_DECODED);
    assert_int_equal(b->out.len, 0);
}

static void what_is_unknown_is_not_read(void **state)
{
    struct box *b = *state;

    pack(GZIP, WW_STR(TEXT), &b->packed);
    assert_int_equal(undo(b, "compress"), WW_DECODED_NOT);
    assert_int_equal(undo(b, "gzip, aes128gcm"), WW_DECODED_NOT);
    assert_int_equal(undo(b, "gzip;q=1"), WW_DECODED_NOT);
    assert_int_equal(undo(b, "gzip, gzip, gzip, gzip, gzip"), WW_DECODED_NOT);
    assert_int_equal(b->out.len, 0);
}

static void garbage_is_not_read(void **state)
{
    static const char *const codings[] = { "gzip", "deflate", "br", "zstd" };
    struct box *b = *state;

    ww_buf_add_c(&b->packed, "\xff\xfe<html>this was never packed</html>");
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        assert_int_equal(undo(b, codings[i]), WW_DECODED_NOT);
        assert_int_equal(b->out.len, 0);
    }
}

static void a_flipped_bit_is_not_read(void **state)
{
    struct box *b = *state;

    pack(GZIP, WW_STR(TEXT), &b->packed);
    b->packed.ptr[b->packed.len - 6] ^= 1; /* in the checksum */
    assert_int_equal(undo(b, "gzip"), WW_DECODED_NOT);
    assert_int_equal(b->out.len, 0);
}

static void assert_bomb_is_cut(struct box *b, const char *encoding)
{
    ww_buf_clear(&b->out);
    assert_int_equal(undo(b, encoding), WW_DECODED_CUT);
    assert_int_equal(b->out.len, b->out.max);
    assert_true(b->out.cap <= b->out.max);
}

static void bombs_end_at_the_limit(void **state)
{
    struct box *b = *state;
    const size_t huge = (size_t)16 << 20;
    char *zeros = calloc(1, huge);

    pack(GZIP, ww_str_n(zeros, huge), &b->packed);
    assert_bomb_is_cut(b, "gzip");
    ww_buf_clear(&b->packed);
    pack_zstd(ww_str_n(zeros, huge), &b->packed);
    assert_bomb_is_cut(b, "zstd");
    ww_buf_clear(&b->packed);
    ww_buf_add(&b->packed, ww_str_n((const char *)brotli_bomb, sizeof(brotli_bomb)));
    assert_bomb_is_cut(b, "br");
    free(zeros);
}

static void what_fits_exactly_is_whole(void **state)
{
    struct box *b = *state;

    b->out.max = strlen(TEXT);
    pack(GZIP, WW_STR(TEXT), &b->packed);
    assert_int_equal(undo(b, "gzip"), WW_DECODED);
    b->out.max--;
    ww_buf_clear(&b->out);
    assert_int_equal(undo(b, "gzip"), WW_DECODED_CUT);
    assert_int_equal(b->out.len, strlen(TEXT) - 1);
}

#define WITH_BOX(f) cmocka_unit_test_setup_teardown(f, open_box, close_box)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOX(gzip_is_undone),
        WITH_BOX(gzip_members_follow_each_other),
        WITH_BOX(deflate_is_undone),
        WITH_BOX(deflate_without_its_wrapper_is_undone),
        WITH_BOX(brotli_is_undone),
        WITH_BOX(zstd_is_undone),
        WITH_BOX(several_are_undone_from_the_last),
        WITH_BOX(a_cut_inside_stays_a_cut),
        WITH_BOX(identity_is_the_bytes),
        WITH_BOX(it_appends),
        WITH_BOX(no_bytes_are_no_text),
        WITH_BOX(what_is_unknown_is_not_read),
        WITH_BOX(garbage_is_not_read),
        WITH_BOX(a_flipped_bit_is_not_read),
        WITH_BOX(bombs_end_at_the_limit),
        WITH_BOX(what_fits_exactly_is_whole),
    };
    return cmocka_run_group_tests_name("coding", tests, NULL, NULL);
}
