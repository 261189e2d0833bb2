package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	benchNamespace = "bench"
	// maxWorkloads is the number of addresses for workloads.
	maxWorkloads = 1 << 20
	portName     = "http"
	portNumber   = 8080

	// Every workload has a common label and the label of its group. A Service selects both.
	commonLabel = "mesh"
	commonValue = "external"
	groupLabel  = "app"
)

func serviceName(index int) string  { return fmt.Sprintf("service-%05d", index) }
func workloadName(index int) string { return fmt.Sprintf("workload-%06d", index) }

// newService is headless and has one named port.
func newService(index int) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: benchNamespace, Name: serviceName(index)},
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Selector:  map[string]string{commonLabel: commonValue, groupLabel: strconv.Itoa(index)},
			Ports:     []corev1.ServicePort{{Name: portName, Port: 80, TargetPort: intstr.FromString(portName)}},
		},
	}
}

// newWorkload returns a workload of the group's Service.
func newWorkload(index, group int) *v1beta1.ExternalWorkload {
	name := workloadName(index)
	return &v1beta1.ExternalWorkload{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: benchNamespace, Name: name,
			Labels: map[string]string{commonLabel: commonValue, groupLabel: strconv.Itoa(group), corev1.LabelTopologyZone: "zone-a"},
		},
		Spec: v1beta1.ExternalWorkloadSpec{
			MeshTLS: v1beta1.MeshTLS{
				Identity:   "spiffe://root.linkerd.cluster.local/external/" + name,
				ServerName: name + ".external.example.com",
			},
			Ports:       []v1beta1.PortSpec{{Name: portName, Port: portNumber, Protocol: corev1.ProtocolTCP}},
			WorkloadIPs: []v1beta1.WorkloadIP{{IP: address(index)}},
		},
	}
}

// address returns the workload's own address in 172.16.0.0/12.
func address(index int) string {
	return netip.AddrFrom4([4]byte{172, 16 | byte(index>>16), byte(index >> 8), byte(index)}).String()
}

// newStatus has only the condition Ready.
func newStatus(ready bool, now time.Time) v1beta1.ExternalWorkloadStatus {
	status := v1beta1.ConditionFalse
	if ready {
		status = v1beta1.ConditionTrue
	}
	return v1beta1.ExternalWorkloadStatus{Conditions: []v1beta1.WorkloadCondition{{
		Type: v1beta1.WorkloadReady, Status: status, Reason: "Bench",
		LastProbeTime: metav1.NewTime(now), LastTransitionTime: metav1.NewTime(now),
	}}}
}
