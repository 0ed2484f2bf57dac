import { describeOperator } from '@tweedie/testing';

describeOperator(import.meta.url);
