package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/external-workload/controller/pkg/explain"
)

// The formats of -o.
const (
	formatText = ""
	formatWide = "wide"
	formatJSON = "json"
	formatYAML = "yaml"
	formatName = "name"
)

// addOutputFlag adds -o with the formats that a verb has.
func (p *program) addOutputFlag(command *cobra.Command, formats ...string) {
	command.Flags().StringVarP(&p.output, "output", "o", formatText, "output format: "+strings.Join(formats, ", "))
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	before := command.PreRunE
	command.PreRunE = func(c *cobra.Command, args []string) error {
		if p.output != formatText && !slices.Contains(formats, p.output) {
			return fmt.Errorf("--output is %q, want one of %s", p.output, strings.Join(formats, ", "))
		}
		if before != nil {
			return before(c, args)
		}
		return nil
	}
}

// print writes a value as JSON or YAML. It returns false for other formats.
func (p *program) print(value any) (bool, error) {
	switch p.output {
	case formatJSON:
		encoder := json.NewEncoder(p.out)
		encoder.SetIndent("", "    ")
		return true, encoder.Encode(value)
	case formatYAML:
		text, err := yaml.Marshal(value)
		if err != nil {
			return true, err
		}
		_, err = p.out.Write(text)
		return true, err
	}
	return false, nil
}

// ANSI colours.
const (
	red, green, yellow, plain = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
)

// style colors words on a terminal, unless NO_COLOR is set.
func (p *program) style() explain.Style {
	if os.Getenv("NO_COLOR") != "" || !isTerminal(p.out) {
		return explain.Plain
	}
	return func(result explain.Result, word string) string {
		switch result {
		case explain.OK:
			return green + word + plain
		case explain.No:
			return red + word + plain
		default:
			return yellow + word + plain
		}
	}
}

func isTerminal(w io.Writer) bool {
	file, is := w.(*os.File)
	if !is || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
