package main

import (
	"context"
	"errors"
	"net"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// bothFamilies has VMs with an address of each family. A dual-stack Service has a ClusterIP
// of each family, and requests to it reach the addresses of that family. A headless Service
// has records of both.
func bothFamilies(ctx context.Context, c *cluster) error {
	both := func(spec *corev1.ServiceSpec) { spec.IPFamilyPolicy = ptr.To(corev1.IPFamilyPolicyRequireDualStack) }
	const service, headless = "dual", "dual-headless"
	if _, err := c.createService(ctx, service, both); err != nil {
		return err
	}
	if _, err := c.createService(ctx, headless, func(spec *corev1.ServiceSpec) {
		both(spec)
		spec.ClusterIP, spec.Selector = corev1.ClusterIPNone, map[string]string{"app": service}
	}); err != nil {
		return err
	}
	addresses, err := c.createDualWorkloads(ctx, service)
	if err != nil {
		return err
	}
	stored, err := c.core.CoreV1().Services(namespace).Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return err
	}
	url4, url6 := "http://"+stored.Spec.ClusterIPs[0], "http://"+net.JoinHostPort(stored.Spec.ClusterIPs[1], "80")
	if err := errors.Join(
		waitAnswer(ctx, url4, "vm-a"), waitAnswer(ctx, url4, "vm-b"),
		waitAnswer(ctx, url6, "dual-a"), waitAnswer(ctx, url6, "dual-b"),
		c.waitAddresses(ctx, headless+"."+namespace, addresses),
		c.setReady(ctx, "dual-a", v1beta1.ConditionFalse),
	); err != nil {
		return err
	}
	return errors.Join(c.onlyAnswers(ctx, url4, "vm-b"), c.onlyAnswers(ctx, url6, "dual-b"))
}

// createDualWorkloads starts servers at the IPv6 addresses of two VMs, with their own
// names, and returns all four addresses.
func (c *cluster) createDualWorkloads(ctx context.Context, service string) (addresses []string, err error) {
	for _, v := range []struct{ name, ipv4, ipv6 string }{
		{"dual-a", vms[1].address, "fd00:77::11"}, {"dual-b", vms[2].address, "fd00:77::12"},
	} {
		if _, err := c.startVM(ctx, vm{v.name, v.ipv6, serverPort}); err != nil {
			return nil, err
		}
		w := workload(v.name, v.ipv4, map[string]string{"app": service})
		w.Spec.WorkloadIPs = append(w.Spec.WorkloadIPs, v1beta1.WorkloadIP{IP: v.ipv6})
		if err := c.createWorkload(ctx, w); err != nil {
			return nil, err
		}
		addresses = append(addresses, v.ipv4, v.ipv6)
	}
	return addresses, nil
}
