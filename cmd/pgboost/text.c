#include "text.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

struct range {
    uint32_t first, last;
};

/* Control characters and what changes the direction of writing (Unicode's Bidi_Control). */
static const struct range unsafe[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0x061c, 0x061c}, {0x200e, 0x200f},
    {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff},
};

/* The bulk of Unicode's combining marks and zero-width characters. */
static const struct range narrow[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x064b, 0x065f}, {0x093c, 0x093c},
    {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200d},
    {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
};

/* The bulk of East_Asian_Width W and F. */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
    {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

static bool in_ranges(uint32_t character, const struct range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    return false;
}

/* Of a valid character of n_bytes. */
static uint32_t decode(const char *text, int n_bytes)
{
    static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t character = (uint8_t)text[0] & first_bits[n_bytes];

    for (int i = 1; i < n_bytes; i++)
        character = character << 6 | ((uint8_t)text[i] & 0x3f);
    return character;
}

static void put_escape(struct buf *out, uint32_t character)
{
    switch (character) {
    case '\n':
        buf_puts(out, "\\n");
        break;
    case '\r':
        buf_puts(out, "\\r");
        break;
    case '\t':
        buf_puts(out, "\\t");
        break;
    default:
        buf_printf(out, character < 0x100 ? "\\x%02x" : "\\u%04x", character);
    }
}

void text_put_safe(struct buf *out, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        int n_bytes = utf8_length(text, left);
        uint32_t character = n_bytes > 0 ? decode(text, n_bytes) : (uint8_t)*text;

        if (n_bytes == 0 || in_ranges(character, unsafe, N_ELEMENTS(unsafe)))
            put_escape(out, character);
        else
            buf_append(out, text, (size_t)n_bytes);
        n_bytes = n_bytes > 0 ? n_bytes : 1;
        text += n_bytes;
        left -= (size_t)n_bytes;
    }
}

int text_width(const char *text)
{
    size_t left = strlen(text);
    int width = 0;

    while (left > 0) {
        int n_bytes = utf8_length(text, left);
        uint32_t character;

        if (n_bytes == 0)
            n_bytes = 1;
        character = decode(text, n_bytes);
        if (in_ranges(character, wide, N_ELEMENTS(wide)))
            width += 2;
        else if (!in_ranges(character, narrow, N_ELEMENTS(narrow)))
            width++;
        text += n_bytes;
        left -= (size_t)n_bytes;
    }
    return width;
}
