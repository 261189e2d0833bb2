package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/yaml"
)

const (
	servedInterval = 50 * time.Millisecond
	servedTimeout  = 30 * time.Second
)

// CRD returns this project's CustomResourceDefinition.
func CRD() (*apiextensionsv1.CustomResourceDefinition, error) {
	root, err := RepositoryRoot()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(root, "charts", "external-workload-controller", "files", "crds",
		"workload.linkerd.io_externalworkloads.yaml"))
	if err != nil {
		return nil, err
	}
	return ParseCRD(data)
}

// ParseCRD parses the manifest of one CustomResourceDefinition, as YAML or JSON.
func ParseCRD(manifest []byte) (*apiextensionsv1.CustomResourceDefinition, error) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(manifest, crd); err != nil {
		return nil, fmt.Errorf("reading a CustomResourceDefinition: %w", err)
	}
	return crd, nil
}

// Permissive returns a copy of the CustomResourceDefinition without validation, so that a
// test can store invalid objects.
func Permissive(crd *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.CustomResourceDefinition {
	crd = crd.DeepCopy()
	keep := true
	for i := range crd.Spec.Versions {
		crd.Spec.Versions[i].Schema = &apiextensionsv1.CustomResourceValidation{
			OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &keep},
		}
	}
	return crd
}

// InstallChartCRD installs the chart's CRD of ExternalWorkloads.
func InstallChartCRD(ctx context.Context, config *rest.Config) error {
	crd, err := CRD()
	if err != nil {
		return err
	}
	return InstallCRD(ctx, config, crd)
}

// InstallCRD creates the CustomResourceDefinition or replaces its spec, and waits until its
// objects can be listed and kubectl finds their kind. A replaced schema may take effect a
// moment later.
func InstallCRD(ctx context.Context, config *rest.Config, crd *apiextensionsv1.CustomResourceDefinition) error {
	client, err := apiextensions.NewForConfig(config)
	if err != nil {
		return err
	}
	objects := client.ApiextensionsV1().CustomResourceDefinitions()
	_, err = objects.Create(ctx, crd, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
			stored, err := objects.Get(ctx, crd.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			stored.Spec = *crd.Spec.DeepCopy()
			_, err = objects.Update(ctx, stored, metav1.UpdateOptions{})
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("installing the CustomResourceDefinition %s: %w", crd.Name, err)
	}
	return waitUntilServed(ctx, config, crd)
}

func waitUntilServed(ctx context.Context, config *rest.Config, crd *apiextensionsv1.CustomResourceDefinition) error {
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	kinds, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	for _, version := range crd.Spec.Versions {
		if !version.Served {
			continue
		}
		resource := schema.GroupVersionResource{Group: crd.Spec.Group, Version: version.Name, Resource: crd.Spec.Names.Plural}
		var lastError error
		err := wait.PollUntilContextTimeout(ctx, servedInterval, servedTimeout, true, func(ctx context.Context) (bool, error) {
			if _, lastError = objects.Resource(resource).List(ctx, metav1.ListOptions{Limit: 1}); lastError == nil {
				lastError = discovered(kinds, resource)
			}
			return lastError == nil, nil
		})
		if err != nil {
			return fmt.Errorf("waiting until %s is served: %w", resource, errors.Join(err, lastError))
		}
	}
	return nil
}

// discovered checks the discovery document, which kubectl reads. The API server may update
// it later than it serves the objects.
func discovered(client discovery.DiscoveryInterface, resource schema.GroupVersionResource) error {
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		return err
	}
	for _, list := range lists {
		if list.GroupVersion == resource.GroupVersion().String() &&
			slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == resource.Resource }) {
			return nil
		}
	}
	return errors.New("not discovered yet")
}
