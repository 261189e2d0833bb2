package main

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/external-workload/controller/test/internal/panels"
)

func TestCheckQueries(t *testing.T) {
	board := panels.Board{
		Rows: []panels.Row{{Panels: []panels.Panel{{
			Title: "Panel", Queries: []panels.Query{{Name: "A", Expr: "a"}, {Name: "B", Expr: "b"}},
		}}}},
		Annotations: []panels.Query{{Name: "Restart", Expr: "c"}},
	}
	some := []panels.Series{{Points: []panels.Point{{Value: math.NaN()}, {Value: 0}}}}
	none := []panels.Series{{Points: []panels.Point{{Value: math.NaN()}}}}
	tests := map[string]struct {
		silent  map[string]string
		answers map[string][]panels.Series
		want    []string
	}{
		"all queries have data": {answers: map[string][]panels.Series{"a": some, "b": some, "c": some}},
		"one has no data, with a reason": {
			silent:  map[string]string{"Panel B": "nothing panics"},
			answers: map[string][]panels.Series{"a": some, "b": none, "c": some},
		},
		"one and an annotation have no data": {
			answers: map[string][]panels.Series{"a": some, "b": none, "c": {}},
			want:    []string{"Panel B has no data: b", "annotation Restart has no data: c"},
		},
		"one has data and should have none": {
			silent:  map[string]string{"Panel A": "nothing panics"},
			answers: map[string][]panels.Series{"a": some, "b": some, "c": some},
			want:    []string{"Panel A has data, and should have none since nothing panics"},
		},
		"a reason for an unknown query": {
			silent:  map[string]string{"Panel C": "it is gone"},
			answers: map[string][]panels.Series{"a": some, "b": some, "c": some},
			want:    []string{"the dashboard has no query Panel C"},
		},
		"Prometheus refuses a query": {
			answers: map[string][]panels.Series{"a": some, "c": some},
			want:    []string{"Panel B: refused"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			asked, err := checkQueries(board, test.silent, func(query panels.Query) ([]panels.Series, error) {
				if series, known := test.answers[query.Expr]; known {
					return series, nil
				}
				return nil, errors.New("refused")
			})
			if asked != 3 {
				t.Errorf("%d queries were asked, want 3", asked)
			}
			got := ""
			if err != nil {
				got = err.Error()
			}
			if want := strings.Join(test.want, "\n"); got != want {
				t.Errorf("the error is %q, want %q", got, want)
			}
		})
	}
}
