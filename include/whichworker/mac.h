/* base: keyed hashes that hide secrets, and content hashes that name bodies; over libsodium. */
#ifndef WHICHWORKER_MAC_H
#define WHICHWORKER_MAC_H

#include <whichworker/str.h>

#define WW_MAC_KEY  32
#define WW_MAC_TEXT 25 /* 24 hex digits and a NUL */

/* A key that lives only in memory: never written, gone with the process. So what it hid cannot be
 * guessed from a trace, and equal values are comparable within one run only. */
struct ww_mac_key {
    unsigned char byte[WW_MAC_KEY];
};

void ww_mac_key_random(struct ww_mac_key *k);

/* Keyed BLAKE2b, 96 bits, as 24 hex digits. */
void ww_mac(const struct ww_mac_key *k, ww_str value, char out[WW_MAC_TEXT]);

/* BLAKE2b-256 of the bytes, for content addresses. */
#define WW_HASH_BYTES 32
void ww_hash(ww_str bytes, unsigned char out[WW_HASH_BYTES]);

/* Fills out with random bytes from the kernel. */
void ww_random(void *out, size_t bytes);

#endif
