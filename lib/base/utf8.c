#include "base/utf8.h"

static bool between(unsigned char c, unsigned char low, unsigned char high)
{
    return c >= low && c <= high;
}

/* The well-formed byte sequences of RFC 3629, section 4. The second byte's range is what excludes
 * overlong forms (e0, f0), surrogates (ed) and what is beyond U+10FFFF (f4). */
int utf8_length(const char *text, size_t n_bytes)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        int length;
    } sequences[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    const unsigned char *bytes = (const unsigned char *)text;

    if (bytes[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
        int length = sequences[i].length;

        if (!between(bytes[0], sequences[i].first_low, sequences[i].first_high))
            continue;
        if (n_bytes < (size_t)length ||
            !between(bytes[1], sequences[i].second_low, sequences[i].second_high))
            return 0;
        for (int k = 2; k < length; k++)
            if (!between(bytes[k], 0x80, 0xbf))
                return 0;
        return length;
    }
    return 0;
}

bool utf8_valid(const char *text, size_t n_bytes)
{
    const char *end = text + n_bytes;

    while (text < end) {
        int length = utf8_length(text, (size_t)(end - text));

        if (length == 0)
            return false;
        text += length;
    }
    return true;
}
