/* Keyed and plain hashes: the only file that knows libsodium. */
#include <whichworker/mac.h>

#include <sodium.h>
#include <stdlib.h>

#define MAC_BYTES ((WW_MAC_TEXT - 1) / 2)

_Static_assert(crypto_generichash_BYTES == WW_HASH_BYTES, "BLAKE2b-256");
_Static_assert(crypto_generichash_KEYBYTES == WW_MAC_KEY, "BLAKE2b's usual key");

/* Idempotent and thread-safe; what follows may be called without it, only slower or weaker. */
static void ready(void)
{
    if (sodium_init() < 0)
        abort();
}

void ww_random(void *out, size_t bytes)
{
    ready();
    randombytes_buf(out, bytes);
}

void ww_mac_key_random(struct ww_mac_key *k)
{
    ww_random(k->byte, sizeof(k->byte));
}

void ww_mac(const struct ww_mac_key *k, ww_str value, char out[WW_MAC_TEXT])
{
    unsigned char mac[crypto_generichash_BYTES];

    ready();
    crypto_generichash(mac, sizeof(mac), (const unsigned char *)value.ptr, value.len, k->byte,
                       sizeof(k->byte));
    sodium_bin2hex(out, WW_MAC_TEXT, mac, MAC_BYTES);
}

void ww_hash(ww_str bytes, unsigned char out[WW_HASH_BYTES])
{
    ready();
    crypto_generichash(out, WW_HASH_BYTES, (const unsigned char *)bytes.ptr, bytes.len, NULL,
                       0);
}
