package main

import (
	"strings"
	"testing"
)

func TestInvalidFlagIsRefusedWithItsNameAndBounds(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no workers":                       {[]string{"--workers=0"}, "--workers is 0, want 1 to 256"},
		"too many workers":                 {[]string{"--workers=257"}, "--workers is 257, want 1 to 256"},
		"a namespace that cannot exist":    {[]string{"--namespaces=a,B"}, `--namespaces is "B", want names of namespaces`},
		"an empty managed-by":              {[]string{"--managed-by="}, `--managed-by is "", want the value of a label`},
		"a managed-by that is no label":    {[]string{"--managed-by=a b"}, `--managed-by is "a b"`},
		"an empty field manager":           {[]string{"--field-manager="}, `--field-manager is "", want 1 to 128 characters`},
		"no endpoints in a slice":          {[]string{"--max-endpoints-per-slice=0"}, "--max-endpoints-per-slice is 0, want 1 to 1000"},
		"more than the API server accepts": {[]string{"--max-endpoints-per-slice=1001"}, "--max-endpoints-per-slice is 1001, want 1 to 1000"},
		"an unknown second-family mode":    {[]string{"--second-family=drop"}, `--second-family is "drop", want publish or withhold`},
		"no requests":                      {[]string{"--kube-api-qps=0"}, "--kube-api-qps is 0, want -1, or more than 0"},
		"no burst":                         {[]string{"--kube-api-burst=0"}, "--kube-api-burst is 0, want 1 to 100000"},
		"a Lease name with a slash":        {[]string{"--leader-elect-lease-name=a/b"}, `--leader-elect-lease-name is "a/b"`},
		"a Lease namespace with a dot":     {[]string{"--leader-elect-lease-namespace=a.b"}, `--leader-elect-lease-namespace is "a.b"`},
		"a Lease of an hour":               {[]string{"--leader-elect-lease-duration=1h"}, "--leader-elect-lease-duration is 1h0m0s, want 1s to 10m0s"},
		"a renew deadline beyond the end":  {[]string{"--leader-elect-renew-deadline=12s"}, "--leader-elect-renew-deadline is 12s, want less than 7/8 of --leader-elect-lease-duration"},
		"a retry period without pause":     {[]string{"--leader-elect-retry-period=1ms"}, "--leader-elect-retry-period is 1ms, want at least 50ms"},
		"a retry period too long":          {[]string{"--leader-elect-retry-period=7s"}, "--leader-elect-retry-period is 7s"},
		"a health address without port":    {[]string{"--health-bind-address=localhost"}, `--health-bind-address is "localhost", want an address like`},
		"a metrics address without port":   {[]string{"--metrics-bind-address=localhost"}, `--metrics-bind-address is "localhost", want an address like`},
		"a certificate without key":        {[]string{"--metrics-secure", "--metrics-tls-cert-file=c"}, "to be given together with --metrics-tls-key-file"},
		"a certificate for plain metrics":  {[]string{"--metrics-tls-cert-file=c", "--metrics-tls-key-file=k"}, "to be given only with --metrics-secure"},
		"an unknown log format":            {[]string{"--log-format=xml"}, `--log-format is "xml", want text or json`},
		"a negative verbosity":             {[]string{"--v=-1"}, "--v is -1, want 0 to 10"},
		"no memory for probes":             {[]string{"--probe-memory-limit=0"}, "--probe-memory-limit is 0, want 8Mi to 1Gi"},
		"too much memory for probes":       {[]string{"--probe-memory-limit=2Gi"}, "--probe-memory-limit is 2Gi, want 8Mi to 1Gi"},
		"memory beyond 64 bits":            {[]string{"--probe-memory-limit=9999999Pi"}, "--probe-memory-limit is 9223372036854775807, want 8Mi to 1Gi"},
		"a range that is an address":       {[]string{"--probe-allow-cidr=10.0.0.1"}, `--probe-allow-cidr is "10.0.0.1", want address ranges`},
		"an IPv4-mapped range":             {[]string{"--probe-deny-cidr=::ffff:10.0.0.0/104"}, `--probe-deny-cidr is "::ffff:10.0.0.0/104", want no IPv4-mapped range`},
		"an invalid cluster network":       {[]string{"--probe-cluster-network-cidr=x"}, `--probe-cluster-network-cidr is "x", want address ranges`},
		"cluster networks both ways":       {[]string{"--probe-cluster-network-cidr=10.244.0.0/16", "--probe-allow-cluster-networks"}, "only without --probe-allow-cluster-networks"},
		"an invalid denied range":          {[]string{"--probe-deny-cidr=x"}, `--probe-deny-cidr is "x", want address ranges`},
		"a negative hold maximum":          {[]string{"--hold-maximum=-1s"}, "--hold-maximum is -1s, want at least 1m0s, 0 for no hold, or unlimited"},
		"a hold maximum too short to help": {[]string{"--hold-maximum=10s"}, "--hold-maximum is 10s, want at least"},
		"a Lease without namespace":        {[]string{"--take-over-lease=write"}, `--take-over-lease is "write", want NAMESPACE/NAME, such as`},
		"a Lease with two slashes":         {[]string{"--take-over-lease=a/b/c"}, `--take-over-lease is "a/b/c", want NAMESPACE/NAME`},
		"a Lease without name":             {[]string{"--take-over-lease=linkerd/"}, `--take-over-lease is "linkerd/", want NAMESPACE/NAME`},
		"an unknown takeover mode":         {[]string{"--take-over-mode=steal"}, `--take-over-mode is "steal", want renew or park`},
		"a refresh every second":           {[]string{"--probe-time-refresh=1s"}, "--probe-time-refresh is 1s, want"},
	} {
		t.Run(name, func(t *testing.T) {
			var o options
			if err := newFlags(&o).Parse(test.args); err != nil {
				t.Fatal(err)
			}
			err := o.validate()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestInvalidQuantityIsRefused(t *testing.T) {
	for _, text := range []string{"", "64MB", "much"} {
		var o options
		err := newFlags(&o).Parse([]string{"--probe-memory-limit=" + text})
		if err == nil || !strings.Contains(err.Error(), "want an amount of memory such as 64Mi") {
			t.Errorf("%q: the error is %v, want one that gives an example", text, err)
		}
	}
}

func TestTheDefaultsAreValid(t *testing.T) {
	var o options
	if err := newFlags(&o).Parse(nil); err != nil {
		t.Fatal(err)
	}
	if err := o.validate(); err != nil {
		t.Error(err)
	}
}

func TestAllInvalidFlagsAreReportedTogether(t *testing.T) {
	var o options
	if err := newFlags(&o).Parse([]string{"--workers=0", "--v=11"}); err != nil {
		t.Fatal(err)
	}
	if text := o.validate().Error(); !strings.Contains(text, "--workers") || !strings.Contains(text, "--v") {
		t.Errorf("the error is %q, want both flags in it", text)
	}
}

// TestHelpStatesTheBoundsOfValidation checks each bound from both sides.
func TestHelpStatesTheBoundsOfValidation(t *testing.T) {
	for flag, test := range map[string]struct {
		help              string
		accepted, refused []string
	}{
		"kube-api-qps":                {"-1, or more than 0 and at most 100000", []string{"-1", "0.1", "100000"}, []string{"-2", "0", "100001"}},
		"kube-api-burst":              {"(1 to 100000)", []string{"1", "100000"}, []string{"0", "100001"}},
		"leader-elect-lease-duration": {"(1s to 10m)", []string{"10m"}, []string{"10m1s"}},
		"leader-elect-renew-deadline": {"less than 7/8 of --leader-elect-lease-duration", []string{"10499ms"}, []string{"10500ms"}},
		"leader-elect-retry-period":   {"at least 50ms; 1.2 times as long must be less than --leader-elect-renew-deadline", []string{"50ms", "6666ms"}, []string{"49ms", "6667ms"}},
		"probe-time-refresh":          {"(10s to 24h)", []string{"10s", "24h"}, []string{"9s", "24h1s"}},
	} {
		t.Run(flag, func(t *testing.T) {
			valid := func(value string) bool {
				var o options
				if err := newFlags(&o).Parse([]string{"--" + flag + "=" + value}); err != nil {
					t.Fatal(err)
				}
				return o.validate() == nil
			}
			for _, value := range test.accepted {
				if !valid(value) {
					t.Errorf("%s is refused", value)
				}
			}
			for _, value := range test.refused {
				if valid(value) {
					t.Errorf("%s is accepted", value)
				}
			}
			if usage := newFlags(&options{}).Lookup(flag).Usage; !strings.Contains(usage, test.help) {
				t.Errorf("the help is %q, want %q in it", usage, test.help)
			}
		})
	}
}
