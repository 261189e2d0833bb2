package chart

import (
	"strings"
	"testing"
)

func TestBadValuesAreRefusedInPlainWords(t *testing.T) {
	for name, tc := range map[string]struct {
		set  []string
		want string
	}{
		"an unknown key":                      {[]string{"replica=3"}, "'replica' not allowed"},
		"an unknown key further down":         {[]string{"metrics.secured=true"}, "'secured' not allowed"},
		"text for a number":                   {[]string{"replicas=two"}, "got string, want integer"},
		"a number for text":                   {[]string{"managedBy=7"}, "got number, want string"},
		"a slice of more than 1000 endpoints": {[]string{"maxEndpointsPerSlice=1001"}, "maximum"},
		"a hold without a unit":               {[]string{"readiness.holdMaximum=for-ever"}, "does not match pattern"},
		"no requests to the API server":       {[]string{"kubeAPI.qps=0"}, "/kubeAPI/qps"},
		"a negative number of requests":       {[]string{"kubeAPI.qps=-2"}, "/kubeAPI/qps"},
		"too many requests":                   {[]string{"kubeAPI.qps=100001"}, "/kubeAPI/qps"},
		"a burst of nothing":                  {[]string{"kubeAPI.burst=0"}, "/kubeAPI/burst"},
		"too large a burst":                   {[]string{"kubeAPI.burst=100001"}, "/kubeAPI/burst"},
		"memory in words":                     {[]string{"readiness.probeMemoryLimit=much"}, "does not match pattern"},
		"a duration without a unit":           {[]string{"leaderElection.leaseDuration=15"}, "got number"},
		"an invalid range":                    {[]string{"readiness.probeDenyCIDRs={10.0.0.0}"}, "does not match pattern"},
		"an invalid cluster network":          {[]string{"readiness.clusterNetworkCIDRs={pods}"}, "does not match pattern"},
		"cluster networks both ways": {
			[]string{"readiness.clusterNetworkCIDRs={10.244.0.0/16}", "readiness.probeAllowClusterNetworks=true"}, "remove the ranges",
		},
		"an unknown action":                    {[]string{"admissionPolicies.validate=deny"}, "must be one of"},
		"a namespace that is listed twice":     {[]string{"namespaces={a,a}"}, "equal"},
		"an invalid digest":                    {[]string{"image.digest=sha256:12"}, "does not match pattern"},
		"two replicas without leader election": {[]string{"leaderElection.enabled=false"}, "enable leader election or set replicas to 1"},
		"a monitor without a Service": {
			[]string{"metrics.serviceMonitor.enabled=true", "metrics.service.enabled=false"}, "needs metrics.service.enabled",
		},
		"readers of metrics that are open": {
			[]string{"metrics.secure=false", "metrics.readers[0].kind=User", "metrics.readers[0].name=a"}, "remove the readers",
		},
		"a reader without a namespace": {
			[]string{"metrics.readers[0].kind=ServiceAccount", "metrics.readers[0].name=a"}, "needs a namespace",
		},
		"one port for metrics and health": {[]string{"metrics.port=8081"}, "set different ports"},
		"a test outside of what is served": {
			[]string{"namespaces={a}", "test.namespace=b"}, "would not see the workload",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var args []string
			for _, set := range tc.set {
				args = append(args, "--set", set)
			}
			_, err := tryRender(t, args...)
			if err == nil {
				t.Fatal("rendered without an error")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the error does not contain %q:\n%v", tc.want, err)
			}
		})
	}
}

func TestAnOldClusterIsRefused(t *testing.T) {
	if _, err := tryRender(t, "--kube-version", "1.30.9"); err == nil {
		t.Error("rendered for Kubernetes 1.30, whose API server refuses the rules of the CRD")
	}
	render(t, "--kube-version", "1.31.0")
	render(t, "--kube-version", "1.36.3-vendor.1")
}

func TestTheLimitsOfRequestsThatTheControllerAcceptsAreRendered(t *testing.T) {
	for sentence, qps := range map[string]string{
		"no limit": "-1", "less than one a second": "0.5", "the maximum": "100000", "the default": "null",
	} {
		t.Run(sentence, func(t *testing.T) {
			render(t, "--set-json", "kubeAPI.qps="+qps, "--set", "kubeAPI.burst=100000")
		})
	}
}
