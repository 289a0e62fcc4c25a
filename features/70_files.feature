Feature: Every file arrives, unchanged
  Users' attachments, audit logs and local databases lie in the data roots that the core's config names.

  Background:
    Given the source is frozen

  Scenario: The data roots arrive unchanged
    Given the dest core has not been started on these data
    When the data roots are transferred
    Then every data root has the same manifest on both hosts

  Scenario: Every file belongs to the core
    Then every file on the dest belongs to the core

  @repeat
  Scenario: A second transfer moves nothing
    Given the dest core has not been started on these data
    When the data roots are transferred again
    Then nothing was moved
