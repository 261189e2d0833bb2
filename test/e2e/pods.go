package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// namespace has the objects of all stages but those of the chart and the documented
// example.
const namespace = "mixed"

// serverPort is the port of every peer.
const serverPort = 8080

// runAPod creates the namespace, and checks that the node runs a Pod without privileges.
func runAPod(ctx context.Context, c *cluster) error {
	_, err := c.core.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return c.createPod(ctx, serverPod("pod-1"))
}

// createPod waits until the Pod is ready.
func (c *cluster) createPod(ctx context.Context, pod *corev1.Pod) error {
	pods := c.core.CoreV1().Pods(namespace)
	// Pods are refused until the namespace has its service account.
	if err := until(ctx, func(ctx context.Context) error {
		_, err := pods.Create(ctx, pod, metav1.CreateOptions{})
		return err
	}); err != nil {
		return err
	}
	return until(ctx, func(ctx context.Context) error {
		stored, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return podReady(stored)
	})
}

func podReady(pod *corev1.Pod) error {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("the Pod %s is not ready: %s %+v", pod.Name, pod.Status.Phase, pod.Status.ContainerStatuses)
}

// serverPod returns a Pod that answers with its own name.
func serverPod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "mixed"}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  ptr.To(false),
			TerminationGracePeriodSeconds: ptr.To(int64(1)),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   ptr.To(true),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name:  "server",
				Image: peerImage,
				Args:  []string{"serve", name, fmt.Sprintf(":%d", serverPort)},
				Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: serverPort}},
				SecurityContext: &corev1.SecurityContext{
					ReadOnlyRootFilesystem:   ptr.To(true),
					AllowPrivilegeEscalation: ptr.To(false),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}
