package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the documents")

// reference is generated from the commands themselves.
const reference = "../../docs/cli.md"

func TestCLIDocumentationIsCurrent(t *testing.T) {
	want := documentCommands()
	if *update {
		if err := os.WriteFile(reference, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), string(want)); diff != "" {
		t.Errorf("docs/cli.md is stale; run make generate (-got +want):\n%s", diff)
	}
}

// TestCredentialsAreWrittenWithMode0600 looks at each line of the documents that
// writes an invitation to a file.
func TestCredentialsAreWrittenWithMode0600(t *testing.T) {
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, document := range append(documents, "../../README.md", "../../SECURITY.md") {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.Contains(line, "external-workload invite ") || !strings.Contains(line, " > ") {
				continue
			}
			found++
			if !strings.HasPrefix(line, "(umask 077; kubectl external-workload invite ") {
				t.Errorf("%s: anybody can read what this writes: %s", document, line)
			}
		}
	}
	if found < 5 {
		t.Errorf("%d lines write an invitation, want those of cli.md and first-machine.md", found)
	}
}

func documentCommands() []byte {
	root := newCommand("kubectl external-workload", streams{})
	var b bytes.Buffer
	b.WriteString("# kubectl external-workload\n\nGenerated from the program by `make generate`; do not edit.\n\n")
	b.WriteString(root.Long + "\n")
	for _, command := range root.Commands() {
		if command.Hidden || command.Name() == "help" || command.Name() == "completion" {
			continue
		}
		documentCommand(&b, command)
	}
	b.WriteString("\n## Flags of all verbs\n\n")
	documentFlags(&b, root.PersistentFlags())
	return b.Bytes()
}

func documentCommand(b *bytes.Buffer, command *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n```\nkubectl external-workload %s\n```\n\n", command.Name(), command.Use)
	text := command.Long
	if text == "" {
		text = command.Short + "."
	}
	b.WriteString(text + "\n")
	if command.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimSpace(command.Example), "\n  ", "\n"))
	}
	if command.LocalNonPersistentFlags().HasAvailableFlags() {
		b.WriteString("\n")
		documentFlags(b, command.LocalNonPersistentFlags())
	}
}

func documentFlags(b *bytes.Buffer, flags *pflag.FlagSet) {
	b.WriteString("| flag | default | meaning |\n| --- | --- | --- |\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name, value := "`--"+f.Name+"`", f.DefValue
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		if value == "" || value == "[]" {
			value = "-"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", name, value, strings.ReplaceAll(f.Usage, "|", "\\|"))
	})
}
