package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// operation is one kind of change. An error means that the API server was unavailable, or
// refused the change, for example because the object does not exist.
type operation struct {
	name string
	// weight is its frequency relative to the others.
	weight int
	do     func(context.Context, *rand.Rand, string) error
}

func (p *place) operations() []operation {
	return []operation{
		{"create a Service", 6, p.createService},
		{"change a Service", 8, p.changeService},
		{"change a Service's families", 2, p.changeFamilies},
		{"make a Service an ExternalName", 1, p.makeExternalName},
		{"delete a Service", 2, p.deleteService},
		{"delete and create a Service", 2, p.recreateService},
		{"create a workload", 20, p.createWorkload},
		{"flip a workload's readiness", 40, p.turnReadiness},
		{"refresh a workload's lastProbeTime", 5, p.beatHeart},
		{"change a workload", 12, p.changeWorkload},
		{"relabel a workload", 8, p.relabelWorkload},
		{"swap two addresses", 3, p.swapAddresses},
		{"delete a workload", 5, p.deleteWorkload},
		{"delete and create a workload", 4, p.recreateWorkload},
		{"hold a workload's deletion", 2, p.holdWorkload},
		{"remove a workload's finalizer", 4, p.releaseWorkload},
		{"tamper with a slice", 6, p.tamper},
		{"delete a slice", 3, p.deleteSlice},
	}
}

func (p *place) createService(ctx context.Context, draw *rand.Rand, namespace string) error {
	_, err := p.kube.CoreV1().Services(namespace).Create(ctx, someService(draw, someServiceName(draw)), metav1.CreateOptions{})
	return err
}

func (p *place) updateService(ctx context.Context, draw *rand.Rand, namespace string, change func(*corev1.Service)) error {
	client := p.kube.CoreV1().Services(namespace)
	service, err := client.Get(ctx, someServiceName(draw), metav1.GetOptions{})
	if err != nil {
		return err
	}
	change(service)
	_, err = client.Update(ctx, service, metav1.UpdateOptions{})
	return err
}

func (p *place) changeService(ctx context.Context, draw *rand.Rand, namespace string) error {
	return p.updateService(ctx, draw, namespace, func(service *corev1.Service) {
		if service.Spec.Type == corev1.ServiceTypeExternalName {
			service.Spec.Type, service.Spec.ExternalName = corev1.ServiceTypeClusterIP, ""
		}
		fillServiceSpec(draw, service)
	})
}

func (p *place) changeFamilies(ctx context.Context, draw *rand.Rand, namespace string) error {
	return p.updateService(ctx, draw, namespace, func(service *corev1.Service) {
		if len(service.Spec.IPFamilies) < 2 {
			service.Spec.IPFamilyPolicy = ptr.To(corev1.IPFamilyPolicyPreferDualStack)
			return
		}
		service.Spec.IPFamilyPolicy = ptr.To(corev1.IPFamilyPolicySingleStack)
		service.Spec.IPFamilies = service.Spec.IPFamilies[:1]
		if len(service.Spec.ClusterIPs) > 1 {
			service.Spec.ClusterIPs = service.Spec.ClusterIPs[:1]
		}
	})
}

func (p *place) makeExternalName(ctx context.Context, draw *rand.Rand, namespace string) error {
	return p.updateService(ctx, draw, namespace, func(service *corev1.Service) {
		service.Spec.Type, service.Spec.ExternalName = corev1.ServiceTypeExternalName, "example.org"
		service.Spec.ClusterIP, service.Spec.ClusterIPs = "", nil
		service.Spec.IPFamilies, service.Spec.IPFamilyPolicy = nil, nil
	})
}

func (p *place) deleteService(ctx context.Context, draw *rand.Rand, namespace string) error {
	return p.kube.CoreV1().Services(namespace).Delete(ctx, someServiceName(draw), metav1.DeleteOptions{})
}

func (p *place) recreateService(ctx context.Context, draw *rand.Rand, namespace string) error {
	name, client := someServiceName(draw), p.kube.CoreV1().Services(namespace)
	service := someService(draw, name)
	if err := client.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	_, err := client.Create(ctx, service, metav1.CreateOptions{})
	return err
}

func (p *place) createWorkload(ctx context.Context, draw *rand.Rand, namespace string) error {
	return p.storeWorkload(ctx, namespace, someWorkload(draw, someWorkloadName(draw)), !chance(draw, 4))
}

func (p *place) storeWorkload(ctx context.Context, namespace string, workload *v1beta1.ExternalWorkload, ready bool) error {
	client := p.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	created, err := client.Create(ctx, workload, metav1.CreateOptions{})
	if err != nil || !ready {
		return err
	}
	created.Status.Conditions = []v1beta1.WorkloadCondition{{Type: v1beta1.WorkloadReady, Status: v1beta1.ConditionTrue}}
	_, err = client.UpdateStatus(ctx, created, metav1.UpdateOptions{})
	return err
}

func (p *place) turnReadiness(ctx context.Context, draw *rand.Rand, namespace string) error {
	return p.updateStatus(ctx, draw, namespace, func(conditions []v1beta1.WorkloadCondition) []v1beta1.WorkloadCondition {
		status := v1beta1.ConditionTrue
		if len(conditions) > 0 && conditions[0].Status == v1beta1.ConditionTrue {
			status = pick(draw, []v1beta1.ConditionStatus{v1beta1.ConditionFalse, v1beta1.ConditionUnknown})
		}
		return []v1beta1.WorkloadCondition{{Type: v1beta1.WorkloadReady, Status: status, LastTransitionTime: metav1.Now()}}
	})
}

// beatHeart changes only lastProbeTime, which must cause no write of slices.
func (p *place) beatHeart(ctx context.Context, draw *rand.Rand, namespace string) error {
	return p.updateStatus(ctx, draw, namespace, func(conditions []v1beta1.WorkloadCondition) []v1beta1.WorkloadCondition {
		for i := range conditions {
			conditions[i].LastProbeTime = metav1.Now()
		}
		return conditions
	})
}

func (p *place) updateStatus(ctx context.Context, draw *rand.Rand, namespace string, change func([]v1beta1.WorkloadCondition) []v1beta1.WorkloadCondition) error {
	client := p.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	workload, err := client.Get(ctx, someWorkloadName(draw), metav1.GetOptions{})
	if err != nil {
		return err
	}
	workload.Status.Conditions = change(workload.Status.Conditions)
	_, err = client.UpdateStatus(ctx, workload, metav1.UpdateOptions{})
	return err
}

func (p *place) updateWorkload(ctx context.Context, draw *rand.Rand, namespace string, change func(*v1beta1.ExternalWorkload)) error {
	client := p.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	workload, err := client.Get(ctx, someWorkloadName(draw), metav1.GetOptions{})
	if err != nil {
		return err
	}
	change(workload)
	_, err = client.Update(ctx, workload, metav1.UpdateOptions{})
	return err
}

func (p *place) changeWorkload(ctx context.Context, draw *rand.Rand, namespace string) error {
	return p.updateWorkload(ctx, draw, namespace, func(workload *v1beta1.ExternalWorkload) {
		switch draw.IntN(3) {
		case 0:
			workload.Spec.WorkloadIPs = someAddresses(draw)
		case 1:
			workload.Spec.Ports = someWorkloadPorts(draw)
		default:
			workload.Spec.MeshTLS.Identity = fmt.Sprintf("spiffe://example.org/%d", draw.IntN(1000))
		}
	})
}

func (p *place) relabelWorkload(ctx context.Context, draw *rand.Rand, namespace string) error {
	return p.updateWorkload(ctx, draw, namespace, func(workload *v1beta1.ExternalWorkload) { workload.Labels = someLabels(draw) })
}

func (p *place) swapAddresses(ctx context.Context, draw *rand.Rand, namespace string) error {
	client := p.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	first, err := client.Get(ctx, someWorkloadName(draw), metav1.GetOptions{})
	if err != nil {
		return err
	}
	second, err := client.Get(ctx, someWorkloadName(draw), metav1.GetOptions{})
	if err != nil {
		return err
	}
	first.Spec.WorkloadIPs, second.Spec.WorkloadIPs = second.Spec.WorkloadIPs, first.Spec.WorkloadIPs
	if _, err := client.Update(ctx, first, metav1.UpdateOptions{}); err != nil || first.Name == second.Name {
		return err
	}
	_, err = client.Update(ctx, second, metav1.UpdateOptions{})
	return err
}

func (p *place) deleteWorkload(ctx context.Context, draw *rand.Rand, namespace string) error {
	return p.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Delete(ctx, someWorkloadName(draw), metav1.DeleteOptions{})
}

func (p *place) recreateWorkload(ctx context.Context, draw *rand.Rand, namespace string) error {
	name := someWorkloadName(draw)
	workload := someWorkload(draw, name)
	if err := p.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	return p.storeWorkload(ctx, namespace, workload, true)
}

const finalizer = "example.org/hold"

func (p *place) holdWorkload(ctx context.Context, draw *rand.Rand, namespace string) error {
	name := ""
	err := p.updateWorkload(ctx, draw, namespace, func(workload *v1beta1.ExternalWorkload) {
		name, workload.Finalizers = workload.Name, []string{finalizer}
	})
	if err != nil {
		return err
	}
	return p.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Delete(ctx, name, metav1.DeleteOptions{})
}

func (p *place) releaseWorkload(ctx context.Context, _ *rand.Rand, namespace string) error {
	client := p.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	all, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range all.Items {
		if all.Items[i].DeletionTimestamp != nil {
			patch := []byte(`{"metadata":{"finalizers":null}}`)
			_, err := client.Patch(ctx, all.Items[i].Name, types.MergePatchType, patch, metav1.PatchOptions{})
			return err
		}
	}
	return nil
}
