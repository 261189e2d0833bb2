package main

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestALineShowsWhatAReaderNeeds(t *testing.T) {
	cases := map[string]struct {
		kind changeKind
		edit func(*discoveryv1.EndpointSlice)
		want string
	}{
		"a slice with one ready endpoint": {
			kind: created,
			want: "13:05:02.007 created mixed-env/vm-1 IPv4 193.1.4.11 (ready) ports http=80/TCP, admin=9980/TCP",
		},
		"an unready endpoint and one without the condition": {
			kind: updated,
			edit: func(slice *discoveryv1.EndpointSlice) {
				slice.Endpoints[0].Conditions.Ready = new(false)
				slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{"192.0.2.1"}})
			},
			want: "13:05:02.007 updated mixed-env/vm-1 IPv4 193.1.4.11 (not ready), 192.0.2.1 (not ready) ports http=80/TCP, admin=9980/TCP",
		},
		"an empty slice": {
			kind: updated,
			edit: func(slice *discoveryv1.EndpointSlice) { slice.Endpoints, slice.Ports = nil, nil },
			want: "13:05:02.007 updated mixed-env/vm-1 IPv4 no endpoints ports none",
		},
		"a port without name, number and protocol": {
			kind: updated,
			edit: func(slice *discoveryv1.EndpointSlice) { slice.Ports = []discoveryv1.EndpointPort{{}} },
			want: "13:05:02.007 updated mixed-env/vm-1 IPv4 193.1.4.11 (ready) ports any",
		},
		"a deleted slice": {
			kind: deleted,
			want: "13:05:02.007 deleted mixed-env/vm-1 IPv4",
		},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			slice := exampleSlice()
			if c.edit != nil {
				c.edit(slice)
			}
			at := time.Date(2026, 1, 2, 13, 5, 2, 7_000_000, time.UTC)
			if got := (change{at, c.kind, slice}).String(); got != c.want {
				t.Errorf("line is\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestTheExampleIsRecognised(t *testing.T) {
	cases := map[string]struct {
		edit                func(*discoveryv1.EndpointSlice)
		published, andReady bool
	}{
		"as documented":        {published: true, andReady: true},
		"not ready":            {edit: func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Conditions.Ready = new(false) }, published: true},
		"another address":      {edit: func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Addresses = []string{"193.1.4.12"} }},
		"no endpoint":          {edit: func(s *discoveryv1.EndpointSlice) { s.Endpoints = nil }},
		"one port less":        {edit: func(s *discoveryv1.EndpointSlice) { s.Ports = s.Ports[:1] }},
		"another number":       {edit: func(s *discoveryv1.EndpointSlice) { s.Ports[1].Port = new(int32(9981)) }},
		"another port name":    {edit: func(s *discoveryv1.EndpointSlice) { s.Ports[0].Name = new("") }},
		"another protocol":     {edit: func(s *discoveryv1.EndpointSlice) { s.Ports[0].Protocol = new(corev1.ProtocolUDP) }},
		"of another Service":   {edit: func(s *discoveryv1.EndpointSlice) { s.Labels[discoveryv1.LabelServiceName] = "other" }},
		"of another namespace": {edit: func(s *discoveryv1.EndpointSlice) { s.Namespace = "default" }},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			slice := exampleSlice()
			if c.edit != nil {
				c.edit(slice)
			}
			if got := showsExample(slice, false); got != c.published {
				t.Errorf("published is %t, want %t", got, c.published)
			}
			if got := showsExample(slice, true); got != c.andReady {
				t.Errorf("published and ready is %t, want %t", got, c.andReady)
			}
		})
	}
}

func TestBadCommandLines(t *testing.T) {
	cases := map[string]struct {
		arguments []string
		wantError string
	}{
		"an argument":                   {[]string{"now"}, `unexpected argument "now"`},
		"an argument before the dashes": {[]string{"now", "--", "--workers=2"}, `unexpected argument "now"`},
		"readiness without --once":      {[]string{"--expect-ready"}, "--once"},
		"a timeout of 0":                {[]string{"--once", "--timeout=0s"}, "--timeout must be more than 0"},
		"a flag of the controller":      {[]string{"--workers=2"}, "unknown flag: --workers"},
		"flags of the controller":       {[]string{"--once", "--", "--workers=2"}, ""},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			_, err := parse(c.arguments)
			if c.wantError == "" && err != nil || c.wantError != "" && (err == nil || !strings.Contains(err.Error(), c.wantError)) {
				t.Errorf("error is %v, want one with %q", err, c.wantError)
			}
		})
	}
}

// exampleSlice returns what is published for docs/examples/documented.yaml.
func exampleSlice() *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: exampleNamespace,
			Name:      "vm-1",
			Labels:    map[string]string{discoveryv1.LabelServiceName: exampleName, discoveryv1.LabelManagedBy: managedBy},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses:  []string{"193.1.4.11"},
			Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
		}},
		Ports: []discoveryv1.EndpointPort{
			{Name: new("http"), Port: new(int32(80)), Protocol: new(corev1.ProtocolTCP)},
			{Name: new("admin"), Port: new(int32(9980)), Protocol: new(corev1.ProtocolTCP)},
		},
	}
}
