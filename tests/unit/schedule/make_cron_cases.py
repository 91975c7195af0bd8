#!/usr/bin/env python3
"""Writes cron_cases.h: cron expressions with the next times that Python works out for them.

    make_cron_cases.py > cron_cases.h

Walks through UTC minute by minute and looks at the clock of the zone (zoneinfo), by the rule of
lib/schedule/cron.h: nothing is shared with the code under test. Where the clock does not change,
croniter (Debian's python3-croniter) must say the same, unless the day fields are such that it reads
them otherwise; how many it confirmed stands at the end.
"""

import re
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter

EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
NICKNAMES = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
             "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *",
             "@annually": "0 0 1 1 *"}
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
DAYS = "sun mon tue wed thu fri sat".split()

# Expression, zone, after: a local time, where it is not ambiguous.
ORDINARY = """
* * * * *                      UTC                2024-02-28T23:58
*/5 * * * *                    UTC                2024-12-31T23:54
*/7 * * * *                    UTC                2024-06-01T10:55
0 * * * *                      UTC                2024-06-01T10:00
30 * * * *                     Asia/Kathmandu     2024-06-01T10:30
0 3 * * *                      UTC                2024-02-28T03:00
0 3 * * *                      Asia/Tokyo         2024-02-28T02:59
0 0 * * *                      UTC                2023-12-31T12:00
59 23 * * *                    UTC                2023-12-31T23:59
0 0 1 * *                      UTC                2024-01-01T00:00
0 0 31 * *                     UTC                2024-01-31T00:00
0 0 30 2,4 *                   UTC                2024-01-01T00:00
0 0 29 2 *                     UTC                2024-02-29T00:00
0 12 29 2 *                    UTC                2023-03-01T00:00
0 0 1 1 *                      UTC                2024-01-01T00:01
0 0 * * 0                      UTC                2024-06-01T10:00
0 0 * * 7                      UTC                2024-06-01T10:00
0 0 * * sun                    UTC                2024-06-01T10:00
0 0 * * SUN                    UTC                2024-06-02T00:00
0 9 * * 1-5                    UTC                2024-05-31T09:00
0 9 * * mon-fri                Asia/Kolkata       2024-05-31T09:00
0 9 * * MON,WED,FRI            UTC                2024-06-01T00:00
0 9 * * fri-sun                UTC                2024-06-02T10:00
0 9 * * sat-7                  UTC                2024-06-02T08:00
0 9 * * 0-6                    UTC                2024-06-02T08:00
0 9 * * 1-7                    UTC                2024-06-02T08:00
0 9 * * */2                    UTC                2024-06-02T10:00
0 9 * * 1-6/2                  UTC                2024-06-02T10:00
0 9 1 jan *                    UTC                2024-06-02T10:00
0 9 1 JAN,Jul *                UTC                2024-06-02T10:00
0 9 1 mar-may *                UTC                2024-06-02T10:00
0 9 1 */3 *                    UTC                2024-06-02T10:00
0 9 1 2-12/5 *                 UTC                2024-06-02T10:00
0 0 13 * 5                     UTC                2024-06-01T00:00
0 0 13 * fri                   UTC                2024-09-01T00:00
0 0 1,15 * 1                   UTC                2024-06-01T00:00
15 10 1-7 * mon                UTC                2024-06-04T12:00
0 0 */10 * *                   UTC                2024-02-22T00:00
0 0 */2 * mon                  UTC                2024-06-01T00:00
0 0 1 * */2                    UTC                2024-06-01T00:00
0 0-5 * * *                    UTC                2024-06-01T04:30
0 8-18/2 * * *                 UTC                2024-06-01T17:00
*/20 8-18/5 * * *              UTC                2024-06-01T13:21
5,10,55 * * * *                UTC                2024-06-01T13:10
0-10/3 * * * *                 UTC                2024-06-01T13:07
0-59 * * * *                   UTC                2024-06-01T13:59
*/1 * * * *                    UTC                2024-06-01T13:59
*/59 * * * *                   UTC                2024-06-01T13:59
*/60 * * * *                   UTC                2024-06-01T13:59
0 */24 * * *                   UTC                2024-06-01T13:59
0 */5 * * *                    UTC                2024-06-01T13:59
17 4,16 * * *                  America/Phoenix    2024-06-01T16:17
1-3,7-9,58 0,23 * * *          UTC                2024-06-01T23:58
0 0 28-31 * *                  UTC                2023-02-28T00:00
0 0 31 1-12/1 *                UTC                2024-03-31T00:01
0 0 29 2 mon                   UTC                2024-03-01T00:00
@hourly                        UTC                2024-06-01T13:59
@daily                         Asia/Tokyo         2024-06-01T13:59
@midnight                      +05:30             2024-06-01T13:59
@weekly                        UTC                2024-06-01T13:59
@monthly                       UTC                2024-06-01T13:59
@yearly                        UTC                2024-06-01T13:59
@annually                      -09:30             2024-06-01T13:59
"""

# The day before each change of the clock, and expressions around it.
CHANGES = {
    "Europe/Zurich": [("2024-03-30T12:00", 2), ("2024-10-26T12:00", 2)],
    "America/New_York": [("2025-03-08T12:00", 2), ("2025-11-01T12:00", 1)],
    "Australia/Lord_Howe": [("2024-10-05T12:00", 2), ("2025-04-05T12:00", 1)],
    "Africa/Cairo": [("2024-04-25T12:00", 0), ("2024-10-31T12:00", 23)],
}
AROUND = ["15 {h} * * *", "*/20 {h} * * *", "45 * * * *", "@daily", "30 */2 * * *",
          "0 {l}-{u} * * *"]


def values(text, low, high, names=()):
    found = set()
    for part in text.lower().split(","):
        part, _, step = part.partition("/")
        ends = [low, high]
        if part != "*":
            words = [names.index(w) + low if w in names else int(w) for w in part.split("-")]
            ends = [words[0], words[-1]]
            if names is DAYS and ends[1] == 0 and ends[0] > 0:
                ends[1] = 7
        found |= set(range(ends[0], ends[1] + 1, int(step or 1)))
    return {v % 7 for v in found} if names is DAYS else found


class Expression:
    def __init__(self, text):
        fields = NICKNAMES.get(text, text).split()
        self.by_the_clock = fields[1].startswith("*")
        self.either = not fields[2].startswith("*") and not fields[4].startswith("*")
        self.minutes, self.hours = values(fields[0], 0, 59), values(fields[1], 0, 23)
        self.days, self.months = values(fields[2], 1, 31), values(fields[3], 1, 12, MONTHS)
        self.weekdays = values(fields[4], 0, 7, DAYS)
        self.plain_days = not re.search(r"\*/", fields[2] + fields[4])

    def names_day(self, t):
        day, weekday = t.day in self.days, t.isoweekday() % 7 in self.weekdays
        return t.month in self.months and (day or weekday if self.either else day and weekday)

    def names(self, t):
        return t.minute in self.minutes and t.hour in self.hours and self.names_day(t)


def zone_of(name):
    match = re.fullmatch(r"([+-])(\d\d):(\d\d)", name)
    if not match:
        return ZoneInfo(name)
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-offset if match[1] == "-" else offset)


def walk(expression, zone, after, n):
    """The next n times: the clock is read every minute, and remembered how far it ever was."""
    start = after - timedelta(days=2)
    furthest = start.astimezone(zone).replace(tzinfo=None)
    found, now = [], start
    while len(found) < n:
        now += MINUTE
        shown = now.astimezone(zone).replace(tzinfo=None)
        if expression.by_the_clock:
            comes = expression.names(shown)
        else:
            comes = False
            while furthest < shown:
                furthest += MINUTE
                comes = comes or expression.names(furthest)
        if comes and now > after:
            found.append(now)
        # nothing comes on such a day: on to the next one, where the clock does not change
        if not found or now - found[-1] > MINUTE:
            ahead = now + timedelta(days=1)
            same = ahead.astimezone(zone).replace(tzinfo=None) - shown == timedelta(days=1)
            if same and not expression.names_day(shown) and not expression.names_day(
                    shown + timedelta(days=1)) and shown == max(shown, furthest):
                now, furthest = ahead, max(furthest, shown + timedelta(days=1))
    return found


def cases():
    for line in ORDINARY.strip().splitlines():
        text, zone, after = re.fullmatch(r"(.*?)\s+(\S+)\s+(\S+)", line).groups()
        yield text, zone, datetime.fromisoformat(after), True
    for zone, changes in CHANGES.items():
        for after, hour in changes:
            for text in AROUND:
                text = text.format(h=hour, l=max(0, hour - 1), u=min(23, hour + 1))
                yield text, zone, datetime.fromisoformat(after), False


def main():
    confirmed = total = 0
    print("/* Made by make_cron_cases.py: times in seconds since 2000-01-01 UTC. */")
    print("static const struct cron_case cron_cases[] = {")
    for text, name, local, ordinary in cases():
        zone, expression = zone_of(name), Expression(text)
        after = local.replace(tzinfo=zone).astimezone(timezone.utc)
        found = walk(expression, zone, after, 3 if ordinary else 8)
        total += 1
        if ordinary and expression.plain_days and "sun" not in text and "-7" not in text:
            iterator = croniter(NICKNAMES.get(text, text), local)
            said = [iterator.get_next(datetime) for _ in found]
            mine = [t.astimezone(zone).replace(tzinfo=None) for t in found]
            assert said == mine, (text, name, said, mine)
            confirmed += 1
        seconds = ", ".join(str(int((t - EPOCH).total_seconds())) for t in found)
        print(f'    {{"{text}", "{name}", {int((after - EPOCH).total_seconds())}, {{{seconds}}}}},')
    print("};")
    print(f"{total} cases, {confirmed} confirmed by croniter", file=sys.stderr)


main()
