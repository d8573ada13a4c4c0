"""Judges calendar documents and cards by other programs: judge.py DIR

DIR holds NAME.ics and NAME.vcf, and beside a recurring item's NAME.ics its recurrence blob NAME.blob. Each .ics must be
read by `icalendar` without an error, and the dates to which `recurring-ical-events` expands it must be those that the blob
means: computed here straight from [MS-OXOCAL] 2.2.1.44, from nothing that the converter shares. Each .vcf of 3.0 must be
valid for `vobject`; one of 4.0 must be read by it. Prints a line for each fault, then how much was judged.
"""
import calendar, datetime, glob, importlib, os, struct, sys
import icalendar, recurring_ical_events, vobject

DAY = datetime.timedelta(days=1)
EPOCH = datetime.datetime(1601, 1, 1)
NO_END = 0x5AE980DF


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"skipped: series in a calendar of {name}, which is not installed", file=sys.stderr)
        return None


# ---- calendars: day -> (year, month, is it an added month, day of the month)
def hijri(day):
    """The tabular calendar, epoch of Thursday, 15 July 622 (Julian)."""
    n = day.toordinal() - 227014
    year = (30 * n + 10646) // 10631
    start = lambda y: 354 * (y - 1) + (3 + 11 * y) // 30
    while start(year) > n:
        year -= 1
    while start(year + 1) <= n:
        year += 1
    rest, month = n - start(year), 1
    while rest >= (30 if month % 2 else 29) and month < 12:
        rest -= 30 if month % 2 else 29
        month += 1
    return year, month, False, rest + 1


def hebrew_new_year(year):
    months = (235 * year - 234) // 19
    parts = 12084 + 13753 * months
    day = 29 * months + parts // 25920
    day += (3 * (day + 1)) % 7 < 3
    return day


def hebrew_start(year):
    a, b, c = hebrew_new_year(year - 1), hebrew_new_year(year), hebrew_new_year(year + 1)
    return -1373427 + b + (2 if c - b == 356 else 1 if b - a == 382 else 0) + 0


def hebrew(day):
    n = day.toordinal()
    year = day.year + 3761
    while hebrew_start(year) > n:
        year -= 1
    length = hebrew_start(year + 1) - hebrew_start(year)
    leap = (7 * year + 1) % 19 < 7
    lengths = [30, 30 if length % 10 == 5 else 29, 29 if length % 10 == 3 else 30, 29, 30]
    names = [(1, False), (2, False), (3, False), (4, False), (5, False)]
    if leap:
        lengths.append(30)
        names.append((6, True))
    lengths += [29, 30, 29, 30, 29, 30, 29]
    names += [(month, False) for month in range(6, 13)]
    rest = n - hebrew_start(year)
    for days, (month, added) in zip(lengths, names):
        if rest < days:
            return year, month, added, rest + 1
        rest -= days
    raise ValueError(day)


def saka(day):
    year = day.year - 78
    leap = calendar.isleap(day.year)
    start = datetime.date(day.year, 3, 21 if leap else 22)
    if day < start:
        year -= 1
        leap = calendar.isleap(day.year - 1)
        start = datetime.date(day.year - 1, 3, 21 if leap else 22)
    rest = (day - start).days
    for month, days in enumerate([31 if leap else 30] + [31] * 5 + [30] * 6, 1):
        if rest < days:
            return year, month, False, rest + 1
        rest -= days


def chinese(day):
    of = getattr(lunardate.LunarDate, "from_solar_date", None) or lunardate.LunarDate.fromSolarDate
    lunar = of(day.year, day.month, day.day)
    return lunar.year, lunar.month, bool(lunar.isLeapMonth), lunar.day


def korean(day):
    lunar = korean_lunar.KoreanLunarCalendar()
    lunar.setSolarDate(day.year, day.month, day.day)
    return lunar.lunarYear, lunar.lunarMonth, bool(lunar.isIntercalation), lunar.lunarDay


def umm_al_qura(day):
    there = hijridate.Gregorian(day.year, day.month, day.day).to_hijri()
    return there.year, there.month, False, there.day


lunardate, korean_lunar, hijridate = map(optional, ("lunardate", "korean_lunar_calendar", "hijridate"))
CALENDARS = {6: hijri, 8: hebrew, 16: saka, 15: lunardate and chinese, 17: lunardate and chinese, 23: hijridate and umm_al_qura}
CALENDARS.update({kind: korean_lunar and korean for kind in (14, 18, 19, 20)})
gregorian = lambda day: (day.year, day.month, False, day.day)


# ---- the blob
class Blob:
    def __init__(self, data):
        self.data, self.at = data, 0
        _, _, self.frequency, self.kind, self.calendar = self.take("HHHHH")
        _, self.period, self.sliding = self.take("III")
        count = {0: 0, 1: 1, 3: 2, 11: 2}.get(self.kind, 1)
        self.special = self.take("I" * count)
        self.end, self.count, self.week_start = self.take("III")
        self.deleted, self.modified = self.list(), self.list()
        self.start, self.last = self.take("II")
        self.offset, self.exceptions = 0, []
        if self.at + 18 <= len(data):
            _, _, self.offset, _ = self.take("IIII")
            for _ in range(self.take("H")[0]):
                self.exceptions.append(self.exception())
        if self.kind >= 10 and self.calendar == 0:
            self.calendar = 6

    def take(self, kinds):
        values = struct.unpack_from("<" + kinds, self.data, self.at)
        self.at += struct.calcsize("<" + kinds)
        return values

    def list(self):
        return list(self.take("I" * self.take("I")[0]))

    def exception(self):
        start, end, original, flags = self.take("IIIH")
        for flag in (1, 2, 4, 8, 16, 32, 64, 128, 256):
            if flags & flag:
                size = self.take("HH")[1] if flag in (1, 16) else 4
                self.at += size
        return start, original

    def dates(self, horizon):
        """The days of the series, deleted and moved ones too."""
        first = (EPOCH + datetime.timedelta(minutes=self.start)).date()
        there = (CALENDARS.get(self.calendar, gregorian) if self.frequency in (0x200C, 0x200D) else gregorian)
        if there is None:
            return None
        last, most = horizon, None
        if self.end == 0x2021 or self.end == 0 and self.last < NO_END:
            last = min(last, (EPOCH + datetime.timedelta(minutes=self.last)).date())
        elif self.end == 0x2022 or self.end == 0 and self.count:
            most = self.count
        found, day, months = [], first, []
        if self.kind in (0, 1):
            week = first - DAY * ((first.isoweekday() - self.week_start) % 7)
            while day <= last and (most is None or len(found) < most):
                if self.kind == 0:
                    good = (day - first).days % (self.period // 1440) == 0
                else:
                    good = self.special[0] >> (day.isoweekday() % 7) & 1 and (day - week).days // 7 % self.period == 0
                if good:
                    found.append(day)
                day += DAY
            return found
        # Months as lists of days, from the one in which the series begins.
        day = first - DAY * (there(first)[3] - 1)
        origin, index, months = there(first), -1, {}
        previous, month = None, []
        while day <= last + 40 * DAY and (most is None or len(found) < most):
            key = there(day)[:3]
            if key != previous and month:
                index += 1
                self.pick(previous, month, index, origin, first, last, months, found)
                month = []
            previous = key
            month.append(day)
            day += DAY
        return found[:most] if most is not None else found

    def pick(self, key, month, index, origin, first, last, years, found):
        if self.frequency == 0x200D and self.period % 12 == 0:
            if key[1] != origin[1] or (key[0] - origin[0]) % (self.period // 12):
                return
            # An added month has its turn only where the series began in one; a usual one after it then has none.
            if key[2] != origin[2] and (key[2] or years.get(key[0]) or self.has_added(month, key)):
                return
            years[key[0]] = True
        elif index % self.period:
            return
        if self.kind in (2, 10):
            day = month[min(self.special[0], len(month)) - 1]
        elif self.kind in (4, 12):
            day = month[-1]
        else:
            days = [day for day in month if self.special[0] >> (day.isoweekday() % 7) & 1]
            nth = self.special[1]
            if nth < 5 and nth > len(days):
                return
            day = days[-1] if nth == 5 else days[nth - 1]
        if first <= day <= last:
            found.append(day)

    def has_added(self, month, key):
        """Whether the year has the added month after this one (China, Korea); the Hebrew one came before."""
        after = CALENDARS[self.calendar](month[-1] + DAY)
        return after[:3] == (key[0], key[1], True)

    def instances(self, horizon):
        dates = self.dates(horizon)
        if dates is None:
            return None
        day = lambda minutes: (EPOCH + datetime.timedelta(minutes=minutes)).date()
        gone = {day(minutes) for minutes in self.deleted} | {day(original) for _, original in self.exceptions}
        clock = datetime.timedelta(minutes=self.offset)
        usual = [datetime.datetime.combine(date, datetime.time()) + clock for date in dates if date not in gone]
        return sorted(usual + [EPOCH + datetime.timedelta(minutes=start) for start, _ in self.exceptions])


def expanded(document, first, last):
    found = []
    for event in recurring_ical_events.of(document, components=["VEVENT", "VTODO"]).between(first, last):
        start = event["DTSTART"].dt
        if isinstance(start, datetime.datetime):
            found.append(start.replace(tzinfo=None))
        else:
            found.append(datetime.datetime.combine(start, datetime.time()))
    return sorted(found)


def judge_calendar(path):
    with open(path, "rb") as file:
        document = icalendar.Calendar.from_ical(file.read())
    for part in document.walk():
        for error in part.errors:
            yield f"{part.name}: {error}"
    for part in document.walk():
        zones = {str(zone["TZID"]) for zone in document.walk("VTIMEZONE")}
        for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
            zone = part.get(name) and part[name].params.get("TZID")
            if zone and zone not in zones:
                yield f"no VTIMEZONE for {zone}"
    blob = path[:-4] + ".blob"
    if not os.path.exists(blob):
        return
    with open(blob, "rb") as file:
        blob = Blob(file.read())
    if blob.sliding:
        return
    first = (EPOCH + datetime.timedelta(minutes=blob.start)).date()
    horizon = first.replace(year=first.year + 3, day=28) if blob.end in (0x2023, 0xFFFFFFFF) else first.replace(year=first.year + 45, day=28)
    wanted = blob.instances(horizon)
    if wanted is None:
        return
    # A series that goes on too long is seen in the weeks after its last date.
    last = horizon if blob.end in (0x2023, 0xFFFFFFFF) else max([day.date() for day in wanted], default=first) + 40 * DAY
    got = expanded(document, first - 60 * DAY, last + DAY)
    if wanted != got:
        yield f"dates differ: the blob means {[str(d) for d in wanted if d not in got][:5]}, the document has {[str(d) for d in got if d not in wanted][:5]} ({len(wanted)} and {len(got)})"
    judged["series"] += 1


def judge_card(path):
    with open(path, newline="", encoding="utf-8") as file:
        for card in vobject.readComponents(file.read()):
            if card.version.value == "3.0":
                card.validate(raiseException=True)
            if not card.fn.value:
                yield "no FN"


judged = {"ics": 0, "vcf": 0, "series": 0}
faults = 0
for path in sorted(glob.glob(os.path.join(glob.escape(sys.argv[1]), "*.[iv]c[sf]"))):
    kind = path[-3:]
    try:
        said = list((judge_calendar if kind == "ics" else judge_card)(path))
    except Exception as error:
        said = [f"refused: {error!r}"]
    judged[kind] += 1
    for line in said:
        faults += 1
        print(f"{os.path.basename(path)}: {line}")
print("judged: " + ", ".join(f"{count} {kind}" for kind, count in judged.items()))
sys.exit(1 if faults else 0)
