package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAResultReplacesItsVersionAndKeepsTheOthers(t *testing.T) {
	const text = "# Versions\n" + beginMark + `| Kubernetes | integration tests | chart tests | run on |
| --- | --- | --- | --- |
| 1.37.2 | 9 passed | 9 passed | 2026-01-01 |
| 1.31.13 | 1 passed | 1 passed | 2026-01-01 |

- 1.31.13, chart: an old reason
` + endMark + "The end.\n"
	const want = "# Versions\n" + beginMark + `| Kubernetes | integration tests | chart tests | run on |
| --- | --- | --- | --- |
| 1.37.2 | 9 passed | 9 passed | 2026-01-01 |
| 1.31.14 | 7 passed, 1 failed: TestA/b | 3 passed | 2026-02-03 |

- 1.31.14, integration: no policy
` + endMark + "The end.\n"
	got, err := replace(text, result{
		version: "1.31.14", at: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
		suites: []outcome{{passed: 7, failed: []string{"TestA/b"}, leftOut: []string{"no policy"}}, {passed: 3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("document: -want +got\n%s", diff)
	}
	if _, err := replace("no marks", result{}); err == nil {
		t.Error("a document without marks was written")
	}
}

func TestTestsWithoutSubtestsAreCounted(t *testing.T) {
	stream := strings.NewReader(`
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA/x","Output":"    a_test.go:1: left out: there is no policy\n"}
{"Action":"skip","Package":"p","Test":"TestA/x"}
{"Action":"pass","Package":"p","Test":"TestA/y"}
{"Action":"fail","Package":"p","Test":"TestA/z"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:9: left out: there is no policy\n"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"fail","Package":"p","Test":"TestC"}
{"Action":"fail","Package":"p"}
`)
	got, err := read(stream, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := outcome{passed: 2, failed: []string{"TestA/z", "TestC"}, leftOut: []string{"there is no policy"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("outcome: -want +got\n%s", diff)
	}
}
