package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// The parts of the benchmark, in the order in which they run.
const (
	partCold   = "cold"
	partChurn  = "churn"
	partBurst  = "burst"
	partMemory = "memory"
	partWrites = "writes"
	partGrowth = "growth"
)

var parts = []string{partCold, partChurn, partBurst, partMemory, partWrites, partGrowth}

// options are the command line.
type options struct {
	size       size
	only       []string
	json       string
	chart      string
	document   string
	profiles   string
	controller string
	// earlier is the binary of an earlier build of the controller, or empty.
	earlier string
	// forController are the flags for the controller.
	forController []string
}

// size is the amount of measurements.
type size struct {
	name string
	// cold are the shapes whose cold start is measured, each repeats times.
	cold    []shape
	repeats int
	// churn is the shape in which workloads change their readiness: flips times at the
	// slow rate, burst times at the fast one.
	churn        shape
	flips, burst int
	// growth are the extents of one namespace for which the cost of a flip is compared.
	// Each contains the previous one. The flips are an even number of rounds, so that
	// everything is ready again at the end.
	growth      []extent
	growthFlips int
}

// A shape is a number of Services with a number of workloads each.
type shape struct{ services, workloads int }

func (s shape) String() string { return fmt.Sprintf("%d x %d", s.services, s.workloads) }

func (s shape) total() int { return s.services * s.workloads }

// An extent is the number of objects in a namespace.
type extent struct{ workloads, services int }

func (e extent) String() string {
	return fmt.Sprintf("%d workloads, %d Services", e.workloads, e.services)
}

// slowRate is in changes a second.
const slowRate = 50

// fastRates are in changes a second too: one rate that an API server can sustain on two
// CPUs, and one that it cannot.
var fastRates = []float64{150, 500}

var sizes = map[string]size{
	"small": {
		cold: []shape{{200, 5}, {20, 50}}, repeats: 1,
		churn: shape{200, 5}, flips: 500, burst: 1000,
		growth: []extent{{500, 10}, {5000, 10}, {5000, 500}}, growthFlips: 4 * growthRepeat,
	},
	"full": {
		cold: []shape{{2000, 5}, {100, 50}, {1000, 50}, {1, 10_000}, {10_000, 10}}, repeats: 3,
		churn: shape{2000, 5}, flips: 500, burst: 3000,
		growth: []extent{{1000, 10}, {10_000, 10}, {100_000, 10}, {100_000, 1000}, {100_000, 10_000}}, growthFlips: 10 * growthRepeat,
	},
}

func parse(arguments []string) (options, error) {
	var o options
	flags := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	flags.SortFlags = false
	name := flags.String("size", "small", "amount of measurements: small takes about three minutes, full about half an hour")
	flags.StringSliceVar(&o.only, "only", nil, "measure these parts only: "+strings.Join(parts, ", "))
	cold := flags.StringSlice("cold", nil, "shapes of cold starts instead of those of the size, as SERVICESxWORKLOADS")
	repeats := flags.Int("repeats", 0, "number of measurements of each cold start; 0 uses that of the size")
	churn := flags.String("churn", "", "shape in which readiness changes, instead of that of the size")
	growth := flags.String("growth", "", fmt.Sprintf("shape up to which the namespace grows, instead of that of the size; %d workloads in each Service", growthGroup))
	flags.StringVar(&o.json, "json", "", "write the results to this file")
	flags.StringVar(&o.chart, "chart", "", "draw the results into this SVG file")
	flags.StringVar(&o.document, "document", "", "replace the table in this Markdown file")
	flags.StringVar(&o.profiles, "profiles", "", "write profiles of the controller into this folder")
	flags.StringVar(&o.controller, "controller", "", "use this binary of the controller instead of building one")
	flags.StringVar(&o.earlier, "earlier", "", "compare cold starts and changes with this binary of an earlier build of the controller")
	if err := flags.Parse(arguments); err != nil {
		return options{}, err
	}
	if flags.ArgsLenAtDash() != 0 && flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q; flags of the controller follow --", flags.Arg(0))
	}
	o.forController = flags.Args()
	var known bool
	if o.size, known = sizes[*name]; !known {
		return options{}, fmt.Errorf("--size is %q, want small or full", *name)
	}
	o.size.name = *name
	return o, errors.Join(o.override(*cold, *repeats, *churn), o.growTo(*growth))
}

// override replaces values of the size with those of the command line.
func (o *options) override(cold []string, repeats int, churn string) error {
	for _, part := range o.only {
		if !slices.Contains(parts, part) {
			return fmt.Errorf("--only has %q, want some of %s", part, strings.Join(parts, ", "))
		}
	}
	if repeats < 0 {
		return errors.New("--repeats must not be negative")
	}
	if repeats > 0 {
		o.size.repeats = repeats
	}
	var err error
	if len(cold) > 0 {
		o.size.cold = nil
	}
	for _, text := range cold {
		s, invalid := parseShape(text)
		o.size.cold, err = append(o.size.cold, s), errors.Join(err, invalid)
	}
	if churn != "" {
		s, invalid := parseShape(churn)
		o.size.churn, err = s, errors.Join(err, invalid)
		o.size.flips, o.size.burst = min(o.size.flips, s.total()), min(o.size.burst, s.total())
	}
	return err
}

// growTo replaces all extents after the first.
func (o *options) growTo(text string) error {
	if text == "" {
		return nil
	}
	s, err := parseShape(text)
	if err != nil {
		return err
	}
	first := o.size.growth[0]
	if s.workloads != growthGroup || s.total() <= first.workloads {
		return fmt.Errorf("--growth is %q, want %d workloads in each Service and more than %d in all", text, growthGroup, first.workloads)
	}
	o.size.growth = []extent{first, {workloads: s.total(), services: s.services}}
	return nil
}

func parseShape(text string) (shape, error) {
	left, right, found := strings.Cut(text, "x")
	services, err := strconv.Atoi(left)
	workloads, also := strconv.Atoi(right)
	if !found || err != nil || also != nil || services < 1 || workloads < 1 || services*workloads > maxWorkloads {
		return shape{}, fmt.Errorf("%q is not a shape; want one like 2000x5, of at most %d workloads", text, maxWorkloads)
	}
	return shape{services, workloads}, nil
}

// wants reports whether any of the parts must be measured.
func (o *options) wants(any ...string) bool {
	return len(o.only) == 0 || slices.ContainsFunc(any, func(part string) bool { return slices.Contains(o.only, part) })
}
