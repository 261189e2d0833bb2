package panels

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var begin = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// line returns a series with a value every ten seconds from begin on.
func line(name string, values ...float64) Series {
	s := Series{Name: name}
	for i, value := range values {
		s.Points = append(s.Points, Point{begin.Add(time.Duration(i) * 10 * time.Second), value})
	}
	return s
}

// picture returns one panel with its series, over a minute.
func picture(panel Panel, series ...Series) Picture {
	panel.Title, panel.Place = "A <panel>", Place{Y: 1, W: 8, H: 8}
	return Picture{
		Title: "Board", Caption: "one run", From: begin, To: begin.Add(time.Minute), Step: 10 * time.Second,
		Rows:   []Row{{Title: "Now", Place: Place{W: 24, H: 1}, Panels: []Panel{panel}}},
		Series: map[string][]Series{panel.Title: series},
	}
}

func TestDraw(t *testing.T) {
	thresholds := []Step{{math.Inf(-1), "red"}, {1, "green"}, {2, "red"}}
	tests := map[string]struct {
		picture  Picture
		has, not []string
	}{
		"titles are escaped, and there is a style for dark pages": {
			picture: picture(Panel{Kind: Stat, Unit: "short"}, line("", 1)),
			has:     []string{"A &lt;panel&gt;", ">Board<", ">one run<", ">Now<", "prefers-color-scheme:dark"},
		},
		"a number has its unit and the color of its step": {
			picture: picture(Panel{Kind: Stat, Unit: "s", Steps: thresholds}, line("", 3, 1.5)),
			has:     []string{`fill="#37872d" text-anchor="middle" font-size="28" font-weight="bold">1.5 s<`},
		},
		"a missing number": {
			picture: picture(Panel{Kind: Stat, Unit: "s"}, line("", math.NaN())),
			has:     []string{">no data<"},
		},
		"a long title has smaller letters": {
			picture: Picture{Rows: []Row{{Panels: []Panel{{Title: strings.Repeat("x", 30), Kind: Stat, Unit: "s", Place: Place{W: 4, H: 4}}}}}},
			has:     []string{`font-size="9.0" font-weight="bold">xxx`},
		},
		"a line has axes and a legend": {
			picture: picture(Panel{Kind: TimeSeries, Unit: "reqps"}, line("create", 0, 10)),
			has:     []string{">10 req/s<", ">0 req/s<", ">0<", ">1 min<", ">create<", `d="M`},
			not:     []string{"no data", "others"},
		},
		"series at 0 are drawn and counted": {
			picture: picture(Panel{Kind: TimeSeries, Unit: "ops"}, line("moves", 0, 1), line("stays", 0, 0), line("too", 0)),
			has:     []string{">moves<", ">and 2 others, at 0<"},
			not:     []string{">stays<"},
		},
		"if all stay at 0 they are named": {
			picture: picture(Panel{Kind: TimeSeries, Unit: "wps"}, line("stays", 0, 0)),
			has:     []string{">stays<", ">1 wr/s<"},
			not:     []string{"others"},
		},
		"a legend has as many names as fit": {
			picture: picture(Panel{Kind: TimeSeries, Unit: "ops"}, longNames(12)...),
			has:     []string{">and 10 others<"},
		},
		"a logarithmic axis has powers of ten": {
			picture: picture(Panel{Kind: TimeSeries, Unit: "s", Logarithmic: true}, line("p50", 0.004, 0.3)),
			has:     []string{">1 ms<", ">10 ms<", ">100 ms<", ">1 s<"},
		},
		"lines without any value": {
			picture: picture(Panel{Kind: TimeSeries, Unit: "s"}),
			has:     []string{">no data<"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Draw(test.picture)
			if err != nil {
				t.Fatal(err)
			}
			checkXML(t, string(got))
			for _, part := range test.has {
				if !strings.Contains(string(got), part) {
					t.Errorf("it lacks %q:\n%s", part, got)
				}
			}
			for _, part := range test.not {
				if strings.Contains(string(got), part) {
					t.Errorf("it has %q:\n%s", part, got)
				}
			}
		})
	}
}

func longNames(count int) []Series {
	var all []Series
	for range count {
		all = append(all, line("a name of twenty-four abc", 1))
	}
	return all
}

func checkXML(t *testing.T, text string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
}

func TestDrawRefuses(t *testing.T) {
	for name, bad := range map[string]Picture{
		`drawing "Board": there are no rows`:                 {Title: "Board"},
		`drawing "A <panel>": the unit "furlong" is unknown`: picture(Panel{Kind: Stat, Unit: "furlong"}),
	} {
		if _, err := Draw(bad); err == nil || err.Error() != name {
			t.Errorf("the error is %v, want %s", err, name)
		}
	}
}

func TestALineHasAGapWhereThereIsNoValue(t *testing.T) {
	s := line("", 0, 10, math.NaN(), 10)
	late := Point{begin.Add(time.Minute), 5}
	s.Points = append(s.Points, late)
	c := &canvas{}
	p := picture(Panel{Kind: TimeSeries})
	xs, ys := p.points(s, axis{[]float64{0, 10}, func(v float64) float64 { return v }}, box{0, 0, 60, 100})
	c.path("red", xs, ys)
	_, got, _ := strings.Cut(c.out.String(), ` d="`)
	if want := "M0.0 100.0h0L10.0 0.0M30.0 0.0h0M60.0 50.0h0\"/>\n"; got != want {
		t.Errorf("the path is %s, want %s", got, want)
	}
}

func TestTicks(t *testing.T) {
	tests := map[string]struct{ got, want []float64 }{
		"a round maximum":             {steps(10), []float64{0, 5, 10}},
		"a maximum between two ticks": {steps(7), []float64{0, 2, 4, 6, 8}},
		"a small maximum":             {steps(0.03), []float64{0, 0.01, 0.02, 0.03}},
		"nothing but 0":               {steps(0), []float64{0, 0.5, 1}},
		"several decades":             {decades(0.002, 0.3), []float64{0.001, 0.01, 0.1, 1}},
		"one decade":                  {decades(1, 1), []float64{1, 10}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.got, cmp.Comparer(nearly)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func nearly(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) }

func TestMoments(t *testing.T) {
	for length, want := range map[time.Duration][]time.Duration{
		30 * time.Second:  {0, 10 * time.Second, 20 * time.Second, 30 * time.Second},
		100 * time.Second: {0, 30 * time.Second, time.Minute, 90 * time.Second},
		4 * time.Minute:   {0, time.Minute, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute},
		5 * time.Minute:   {0, 2 * time.Minute, 4 * time.Minute},
	} {
		if diff := cmp.Diff(want, moments(length)); diff != "" {
			t.Errorf("of %s (-want +got):\n%s", length, diff)
		}
	}
}

func TestUnits(t *testing.T) {
	tests := []struct {
		unit  string
		value float64
		want  string
	}{
		{"short", 0, "0"}, {"short", 1234, "1234"}, {"short", 0.5, "0.5"}, {"reqps", 12.345, "12.3 req/s"},
		{"s", 0, "0 s"}, {"s", 2.5e-5, "25 µs"}, {"s", 0.0035, "3.5 ms"}, {"s", 1, "1 s"}, {"s", 120, "120 s"},
	}
	for _, test := range tests {
		if got := units[test.unit](test.value); got != test.want {
			t.Errorf("%v in %s is %q, want %q", test.value, test.unit, got, test.want)
		}
	}
}
