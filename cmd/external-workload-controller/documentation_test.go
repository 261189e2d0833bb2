package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "rewrite the documents")

// flagsDocument is generated from the flags themselves.
const flagsDocument = "../../docs/flags.md"

func TestFlagsDocumentationIsCurrent(t *testing.T) {
	want := documentFlags()
	if *update {
		if err := os.WriteFile(flagsDocument, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(flagsDocument)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), string(want)); diff != "" {
		t.Errorf("docs/flags.md is stale; run make generate (-got +want):\n%s", diff)
	}
}

func documentFlags() []byte {
	var b bytes.Buffer
	b.WriteString("# Flags of external-workload-controller\n\nGenerated from the program by `make generate`; do not edit.\n\n| flag | default | meaning |\n| --- | --- | --- |\n")
	var o options
	newFlags(&o).VisitAll(func(f *pflag.Flag) {
		value := f.DefValue
		if value == "" || value == "[]" {
			value = "-"
		}
		fmt.Fprintf(&b, "| `--%s` | %s | %s |\n", f.Name, value, strings.ReplaceAll(f.Usage, "|", "\\|"))
	})
	return b.Bytes()
}
