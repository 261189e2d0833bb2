package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A suite is a set of packages whose tests start an API server.
type suite struct {
	name string
	// module is the folder of its Go module.
	module   string
	packages string
}

var suites = []suite{
	{name: "integration", module: "test", packages: "./integration"},
	{name: "chart", module: "test/chart", packages: "./..."},
}

// outcome is the result of a suite. It counts tests without subtests.
type outcome struct {
	passed int
	failed []string
	// leftOut are the reasons of skipped tests.
	leftOut []string
}

func (o outcome) String() string {
	text := fmt.Sprintf("%d passed", o.passed)
	if len(o.failed) > 0 {
		text += fmt.Sprintf(", %d failed: %s", len(o.failed), strings.Join(o.failed, ", "))
	}
	return text
}

// run runs the suite with the control plane of a folder. Failing tests are not an error.
func (s suite) run(ctx context.Context, root, folder string) (outcome, error) {
	command := exec.CommandContext(ctx, "go", "-C", filepath.Join(root, s.module), "test", "-json", "-count=1", "-p", "1", "-timeout", "30m", s.packages)
	command.Env = append(os.Environ(), "KUBEBUILDER_ASSETS="+folder)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		return outcome{}, err
	}
	if err := command.Start(); err != nil {
		return outcome{}, err
	}
	o, readErr := read(stdout, os.Stdout)
	err = command.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() && len(o.failed) > 0 {
		err = nil
	}
	return o, errors.Join(readErr, err)
}

// event is a line of go test -json.
type event struct {
	Action, Package, Test, Output string
}

// leftOutMark is the prefix of the reason of a skipped test.
const leftOutMark = "left out: "

// read counts the results in the output of go test -json, and shows the output of failing
// tests.
func read(stream io.Reader, show io.Writer) (outcome, error) {
	var o outcome
	parents := map[string]bool{}
	outputs := map[string][]string{}
	results := map[string]string{}
	for decoder := json.NewDecoder(stream); ; {
		var e event
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return o, fmt.Errorf("reading the output of go test: %w", err)
		}
		switch e.Action {
		case "output":
			if _, reason, found := strings.Cut(e.Output, leftOutMark); found {
				o.addLeftOut(strings.TrimSpace(reason))
			}
			outputs[e.Test] = append(outputs[e.Test], e.Output)
		case "pass", "fail", "skip":
			results[e.Test] = e.Action
			if e.Action == "fail" {
				fmt.Fprint(show, strings.Join(outputs[e.Test], ""))
			}
			delete(outputs, e.Test)
			if parent, _, found := cutLast(e.Test, "/"); found {
				parents[parent] = true
			}
		}
	}
	for test, action := range results {
		switch {
		case test == "" || parents[test] && action != "fail":
		case action == "pass":
			o.passed++
		case action == "fail" && (!parents[test] || !failsBelow(results, test)):
			o.failed = append(o.failed, test)
		}
	}
	if results[""] == "fail" && len(o.failed) == 0 {
		o.failed = append(o.failed, "the package")
	}
	slices.Sort(o.failed)
	slices.Sort(o.leftOut)
	return o, nil
}

func (o *outcome) addLeftOut(reason string) {
	if !slices.Contains(o.leftOut, reason) {
		o.leftOut = append(o.leftOut, reason)
	}
}

func failsBelow(results map[string]string, parent string) bool {
	for test, action := range results {
		if action == "fail" && strings.HasPrefix(test, parent+"/") {
			return true
		}
	}
	return false
}

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}
